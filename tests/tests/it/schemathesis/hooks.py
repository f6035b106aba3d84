"""Sends each request to the service that the document names for its operation, with ids that exist; and checks that are more exact
than those of Schemathesis."""

import os
import re
import uuid
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import ensure_resource_availability, positive_data_acceptance

SERVICES = {"write-api": os.environ["WRITE_API_URL"], "read-api": os.environ["READ_API_URL"]}
IDS = {name: os.environ[name] for name in ("ACCOUNT", "CONVERSATION", "MESSAGE")}
PATHS_WITH_IDS = {"/v1/users/{id}": {"id": "ACCOUNT"}, "/v1/conversations/{id}": {"id": "CONVERSATION", "message": "MESSAGE", "user": "ACCOUNT"}}
VALID_KEY = re.compile(r"[!-~]{1,255}")

# What a schema cannot say.
CODES_OF_VALID_REQUESTS = {"invalid_cursor", "wrong_password", "self_follow", "self_block"}
RULES = re.compile(
    r"must not contain control characters|must be a single line|must have a character that is visible"
    # The length counts after normalization and trimming.
    r"|must have \d+ to \d+ characters"
    r"|must close every bidirectional control|is reserved|must not be the handle|is one of the most common passwords"
    r"|must not be in the future"
    # Which of the fields of a post belong together.
    r"|must be absent: a reply has the audience|needs the audience tags|is missing"
    r"|must be `public`, the id of an account"
)


def service_of(case: schemathesis.Case) -> str:
    service: str = case.operation.definition.raw["servers"][0]["description"]
    return service


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    case.operation.base_url = SERVICES[service_of(case)]
    # A read waits for a position: of one that was made up, in vain.
    case.headers.pop("Feedmill-Min-Position", None)
    # With the key of another request, a command is refused.
    if VALID_KEY.fullmatch(case.headers.get("Idempotency-Key", "")):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    for prefix, parameters in PATHS_WITH_IDS.items():
        if case.path.startswith(prefix):
            for parameter, name in parameters.items():
                # A deleted message would be missing in the other requests.
                kept = parameter != "message" or case.method != "DELETE"
                if kept and is_replaced(case.path_parameters.get(parameter)):
                    case.path_parameters[parameter] = IDS[name]
    if isinstance(case.body, dict):
        if is_replaced(case.body.get("up_to")):
            case.body["up_to"] = IDS["MESSAGE"]
        members = case.body.get("members")
        if isinstance(members, list) and members and all(is_replaced(member) for member in members):
            case.body["members"] = [IDS["ACCOUNT"]]


def is_replaced(value: object) -> bool:
    """Whether it is an id that was made up; every fourth one stays, for the 404."""
    try:
        return isinstance(value, str) and uuid.UUID(value).int % 4 != 0
    except ValueError:
        return False


@schemathesis.check
def valid_requests_are_accepted(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """`positive_data_acceptance`, but for the rules that a schema cannot say: of cursors, of passwords, and of texts."""
    if response.status_code == 422:
        problem = response.json()
        if problem["code"] in CODES_OF_VALID_REQUESTS:
            return None
        if all(RULES.search(error["message"]) for error in problem.get("errors", [{"message": ""}])):
            return None
    return positive_data_acceptance(context, response, case)


@schemathesis.check
def what_was_made_is_found(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """`ensure_resource_availability`, unless what is not found is named in the body: the problem then has its field."""
    if response.status_code == 404 and response.json().get("errors"):
        return None
    return ensure_resource_availability(context, response, case)


@schemathesis.check
def allow_has_the_methods_of_the_service(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """`allow_header_conformance`, but of one service: paths have operations of both, and each knows its own."""
    if response.status_code != 405:
        return
    item = case.operation.schema.raw_schema["paths"][case.path]
    service = service_of(case)
    documented = {
        method.upper() for method, operation in item.items() if operation["servers"][0]["description"] == service
    }
    if "GET" in documented:
        documented.add("HEAD")
    allowed = set(response.headers["allow"][0].replace(" ", "").split(","))
    assert allowed == documented, f"Allow has {sorted(allowed)}, the document {sorted(documented)}"
