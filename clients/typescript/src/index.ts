/** A client of Feedmill's HTTP API. README.md shows how to use it. */

export { createFeedmill, items, type Feedmill, type FeedmillOptions } from "./feedmill.js";
export { follow, type FollowOptions, type StreamSource } from "./follow.js";
export { ok, ProblemError, type Code, type KnownProblem } from "./problem.js";
export type { StoredSession } from "./session.js";
export type * from "./schema.js";
