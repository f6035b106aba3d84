import type { components } from "./schema.js";

type Responses = components["responses"];

/** Every problem of the API. `code` tells them apart: after a check of it, `status` has one type. */
export type KnownProblem = {
  [Name in keyof Responses]: Responses[Name]["content"] extends {
    "application/problem+json": infer Problem;
  }
    ? Problem
    : never;
}[keyof Responses];

/** The codes of the document. A newer server may have more. */
export type Code = KnownProblem["code"];

/** An answer with a problem document, thrown. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";

  constructor(
    readonly problem: KnownProblem,
    readonly response: Response,
  ) {
    super(`${problem.title}: ${problem.detail}`);
  }

  get code(): Code {
    return this.problem.code;
  }
}

/** The error of an answer that is not a success: a `ProblemError`, or another if something else than Feedmill answered. */
export async function errorOf(response: Response): Promise<Error> {
  const body: unknown = await response.json().catch(() => undefined);
  return toError(body, response);
}

function toError(body: unknown, response: Response): Error {
  return isProblem(body)
    ? new ProblemError(body, response)
    : new Error(`HTTP ${response.status} without a problem document`);
}

function isProblem(body: unknown): body is KnownProblem {
  return typeof body === "object" && body !== null && "code" in body && "status" in body;
}

/** What openapi-fetch returns for a call. */
interface Result {
  data?: unknown;
  error?: unknown;
  response: Response;
}

type Data<R> = R extends { error?: never; data: infer D } ? D : never;

/** The data of a call's answer. Throws a `ProblemError` if it is a problem. */
export async function ok<R extends Result>(call: Promise<R>): Promise<Data<R>> {
  const { data, error, response } = await call;
  if (!response.ok) {
    throw toError(error, response);
  }
  return data as Data<R>;
}
