/** Knows which word a person may have meant. */
import leven from "leven";

/** `did you mean memory.max?` when a known word is near enough to the one written. */
export function suggest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const [written, meant] = [word.toLowerCase(), candidate.toLowerCase()];
    // TERM is SIGTERM.
    const distance = written.length > 2 && meant.endsWith(written) ? 1 : leven(written, meant);
    if (distance < least) {
      best = candidate;
      least = distance;
    }
  }
  return best === undefined ? undefined : `did you mean ${best}?`;
}
