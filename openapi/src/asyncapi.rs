//! `docs/asyncapi.json`: what is sent without a request, as AsyncAPI 3.0: live updates to clients, and messages between the
//! services on NATS.

use feedmill_events::{PARTITIONS, Projection, subject};
use serde_json::{Value, json};

/// The committed text.
pub fn text() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&document())? + "\n")
}

fn document() -> Value {
    let partitions: Vec<_> = (0..PARTITIONS)
        .map(|partition| partition.to_string())
        .collect();
    let projections = Projection::ALL.map(Projection::name);
    let pattern = |subject: &str, parameter: &str| subject.replace('*', parameter);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Feedmill",
            "version": "1",
            "description": "What Feedmill sends without a request. Clients need only `liveUpdates`; the rest is for those who \
                operate Feedmill, or write a read model of their own. Requests and answers are described in `openapi.json`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "readApi": {
                "host": "{host}",
                "protocol": "http",
                "description": "read-api",
                "variables": {"host": {"default": "localhost:8081"}},
                "security": [{"$ref": "#/components/securitySchemes/accessToken"}],
            },
            "nats": {
                "host": "{host}",
                "protocol": "nats",
                "description": "NATS with JetStream. `deploy/nats-users.conf` has who may do what.",
                "variables": {"host": {"default": "localhost:4222"}},
                "security": [{"$ref": "#/components/securitySchemes/natsUser"}],
            },
        },
        "channels": {
            "liveUpdates": {
                "address": "/v1/stream",
                "servers": [{"$ref": "#/servers/readApi"}],
                "description": "Server-sent events over HTTP. `docs/http.md` says how to follow them without losing or repeating any.",
                "messages": {"event": {"$ref": "#/components/messages/liveUpdate"}},
                "bindings": {"http": {}},
            },
            "events": {
                "address": pattern(subject::ALL_EVENTS, "{partition}"),
                "servers": [{"$ref": "#/servers/nats"}],
                "description": format!("The events of a partition, in the order of the log, in the JetStream stream `{}`. A reader \
                    that misses one (`seq` has a gap) reads it from `write.events`.", subject::STREAM),
                "parameters": {"partition": {"enum": partitions}},
                "messages": {"event": {"$ref": "#/components/messages/event"}},
            },
            "announcements": {
                "address": pattern(subject::ALL_ANNOUNCEMENTS, "{projection}"),
                "servers": [{"$ref": "#/servers/nats"}],
                "description": "After each commit: how far a projection is, and what has changed. Core NATS, so one may be lost; the \
                    next one, or the table of checkpoints, shows that.",
                "parameters": {"projection": {"enum": projections}},
                "messages": {"announcement": {"$ref": "#/components/messages/announcement"}},
            },
            "endedSessions": {
                "address": subject::ENDED_SESSIONS,
                "servers": [{"$ref": "#/servers/nats"}],
                "messages": {"sessions": {"$ref": "#/components/messages/endedSessions"}},
            },
            "appended": {
                "address": subject::APPENDED,
                "servers": [{"$ref": "#/servers/nats"}],
                "messages": {"partitions": {"$ref": "#/components/messages/appended"}},
            },
            "cache": {
                "address": subject::CACHE,
                "servers": [{"$ref": "#/servers/nats"}],
                "messages": {"command": {"$ref": "#/components/messages/cacheCommand"}},
            },
            "projectors": {
                "address": subject::PROJECTORS,
                "servers": [{"$ref": "#/servers/nats"}],
                "messages": {"changed": {"$ref": "#/components/messages/projectorsChanged"}},
            },
        },
        "operations": {
            "followLiveUpdates": operation("send", "liveUpdates", "read-api sends live updates to the caller."),
            "publishEvents": operation("send", "events", "The relay of write-api publishes the log."),
            "receiveEvents": operation("receive", "events", "The projector applies events, as may a read model of yours."),
            "announce": operation("send", "announcements", "The projector tells read-api."),
            "endSessions": operation("send", "endedSessions", "write-api tells every service which access tokens to refuse."),
            "tellRelay": operation("send", "appended", "An instance of write-api tells the relay's leader that it has committed."),
            "tellCaches": operation("send", "cache", "A read-api tells all read-apis what an operator wants done with their caches."),
            "tellProjectors": operation("send", "projectors", "A projector has started or stopped."),
        },
        "components": {
            "securitySchemes": {
                "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "natsUser": {"type": "userPassword"},
            },
            "messages": {
                "liveUpdate": {
                    "title": "A server-sent event",
                    "contentType": "text/event-stream",
                    "payload": {"$ref": "openapi.json#/components/schemas/StreamEvent"},
                },
                "event": {
                    "title": "An event of the log",
                    "description": "The body is an envelope in postcard: the type's name, its version (u16), the time (i64, Unix \
                        milliseconds) and the payload in postcard; `events/src/envelope.rs`. The payload's fields, in the order of \
                        the struct, are those of the schema.",
                    "contentType": "application/vnd.postcard",
                    "headers": {"type": "object", "required": [subject::MESSAGE_ID, subject::EVENT_TYPE], "properties": {
                        subject::MESSAGE_ID: {"type": "string", "description": "`<partition>:<seq>:<code>:<opened>`. The code shows that \
                            write-api published the message: an HMAC of all that it contains, with a key in `write.secrets`. The last part makes an event that is published \
                            again another message.",
                            "pattern": "^[0-9]{1,2}:[0-9]+:[A-Za-z0-9_-]{22}:[0-9]+$"},
                        subject::EVENT_TYPE: {"$ref": "events.schema.json#/properties/type"},
                        subject::TRACEPARENT: {"type": "string", "description": "The W3C trace context of the request that caused it."},
                    }},
                    "payload": {"$ref": "events.schema.json#/properties/data"},
                },
                "announcement": {
                    "title": "The progress of a projection",
                    "description": "In postcard: `events/src/announcement.rs`.",
                    "contentType": "application/vnd.postcard",
                    "headers": signed(),
                    "payload": {"type": "object", "required": ["projection", "generation", "progress", "changed"], "properties": {
                        "projection": {"type": "string", "enum": projections},
                        "generation": {"type": "integer"},
                        "progress": {"type": "array", "items": {"type": "object", "properties": {
                            "partition": {"type": "integer"}, "from": {"type": "integer"}, "to": {"type": "integer"},
                        }}},
                        "changed": {"description": "Cache tags of the answers that may have changed, all of them, or none because the \
                            generation equals another one."},
                    }},
                },
                "endedSessions": {
                    "title": "Sessions that have ended",
                    "headers": signed(),
                    "payload": {"type": "object", "required": ["ended_sessions"], "properties": {"ended_sessions": {
                        "type": "array", "maxItems": 1000, "items": {"type": "object", "required": ["id", "until"], "properties": {
                            "id": {"type": "string", "format": "uuid", "description": "The claim `sid` of its tokens."},
                            "until": {"type": "integer", "description": "When the last of its tokens expires, in Unix seconds."},
                        }},
                    }}},
                },
                "cacheCommand": {
                    "title": "An operator's command for the caches",
                    "contentType": "text/plain",
                    "headers": signed(),
                    "payload": {"type": "string", "enum": ["clear", "cleanup"]},
                },
                "appended": {
                    "title": "Partitions that have grown",
                    "description": "64 bits in big-endian order, one for each partition.",
                    "contentType": "application/octet-stream",
                    "payload": {"type": "string", "format": "binary", "minLength": 8, "maxLength": 8},
                },
                "projectorsChanged": {"title": "Look at the list of projectors", "description": "Without a body.", "payload": {"type": "null"}},
            },
        },
    })
}

/// The headers of an authenticated message on core NATS.
fn signed() -> Value {
    json!({"type": "object", "required": [subject::CODE], "properties": {subject::CODE: {
        "type": "string",
        "description": "An HMAC of the subject and the body, with a key in `write.secrets`.",
        "pattern": "^[A-Za-z0-9_-]{22}$",
    }}})
}

fn operation(action: &str, channel: &str, summary: &str) -> Value {
    json!({"action": action, "channel": {"$ref": format!("#/channels/{channel}")}, "summary": summary})
}
