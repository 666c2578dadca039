/** Knows the page. */
import type { Answer, Question, Stream } from "./answer.ts";
export const dashboard =
  (_: unknown) =>
  (_question: Question): Answer | Stream | undefined =>
    undefined;
