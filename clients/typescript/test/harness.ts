/** What the tests share: the stack, and how to ask the program that started it for a fault. */

import assert from "node:assert/strict";
import { createInterface } from "node:readline";

import { createFeedmill, ok, type Feedmill, type FeedmillOptions } from "feedmill-client";

const { WRITE_API_URL, READ_API_URL } = process.env;
assert(WRITE_API_URL && READ_API_URL, "WRITE_API_URL and READ_API_URL say where the stack is");
export const urls = { writeUrl: WRITE_API_URL, readUrl: READ_API_URL };

export interface User {
  feedmill: Feedmill;
  id: string;
}

/** A new account that is signed in. */
export async function signUp(handle: string, options: Partial<FeedmillOptions> = {}): Promise<User> {
  const feedmill = createFeedmill({ ...urls, ...options });
  const credentials = { handle, password: `the password of ${handle}` };
  const account = await ok(feedmill.api.POST("/v1/accounts", { body: { ...credentials, display_name: handle } }));
  await feedmill.signIn(credentials);
  return { feedmill, id: account.id };
}

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Has the program that started the stack do this, and waits until it is done. */
export async function request(fault: "cut the connections" | "restart read-api"): Promise<void> {
  console.log(`> ${fault}`);
  await answers.next();
}

/** Runs a test, and reports its duration. */
export async function test(name: string, body: () => Promise<void>): Promise<void> {
  const began = Date.now();
  await body();
  console.log(`${name}: ok, ${Date.now() - began} ms`);
}
