/** Knows what is sent back: a body with a status and headers, or a stream; and errors as Kubernetes' Status objects. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { wholeNumber } from "../api/quantity.ts";

/** A request, as far as anybody looks at it. */
export interface Question {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

export interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers piece by piece, for as long as the other side listens. */
export interface Stream {
  readonly stream: (response: ServerResponse) => void;
}

/** apimachinery's metav1.StatusReason. */
type Reason = "NotFound" | "MethodNotAllowed" | "BadRequest" | "Unauthorized" | "Forbidden" | "Expired" | "NotAcceptable" | "InternalError";
const CODES: Readonly<Record<Reason, number>> = {
  NotFound: 404,
  MethodNotAllowed: 405,
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  Expired: 410,
  NotAcceptable: 406,
  InternalError: 500,
};

export const json = (value: unknown, code = 200): Answer => ({ code, type: "application/json", body: JSON.stringify(value) });
export const plain = (body: string, code = 200): Answer => ({ code, type: "text/plain; charset=utf-8", body });

/** metav1.Status. */
export const statusOf = (reason: Reason, message: string, details?: Readonly<Record<string, unknown>>) => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message,
  reason,
  ...(details ? { details } : {}),
  code: CODES[reason],
});

export const failure = (reason: Reason, message: string, details?: Readonly<Record<string, unknown>>): Answer =>
  json(statusOf(reason, message, details), CODES[reason]);

/** Whether a query asks for something, as Kubernetes reads it (apimachinery, Convert_Slice_string_To_bool): it is there, and neither false nor 0. */
export const asksFor = (query: URLSearchParams, name: string): boolean => !["false", "0"].includes((query.get(name) ?? "false").toLowerCase());

/** Whole numbers of a query, those that are there; or why not. */
export function wholeNumbers<Name extends string>(query: URLSearchParams, names: readonly Name[]): { readonly [N in Name]?: number } | Refusal {
  const found: { [N in Name]?: number } = {};
  for (const name of names) {
    const text = query.get(name);
    if (text === null) continue;
    const number = wholeNumber(text);
    if (number === undefined) return { refused: failure("BadRequest", `invalid ${name} ${JSON.stringify(text)}: expected a whole number`) };
    found[name] = number;
  }
  return found;
}

export interface Refusal {
  readonly refused: Answer;
}
