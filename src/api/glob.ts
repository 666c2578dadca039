/** Knows what a glob is: `*` is anything but a slash, `**` anything; as in a shell otherwise. */
import picomatch from "picomatch";

/** A text starts with no `!` of meaning, and hidden names are names. */
const OPTIONS = { dot: true, nonegate: true, strictBrackets: true } as const;

const known = new Map<string, (text: string) => boolean>();

/** Whether a text fits a glob; compiled once. Throws where it is none. */
export function globOf(glob: string): (text: string) => boolean {
  const matches = known.get(glob) ?? (glob === "" ? (text: string) => text === "" : picomatch(glob, OPTIONS));
  known.set(glob, matches);
  return matches;
}

/** Whether several texts may fit a glob. */
export const isMany = (glob: string): boolean => /[*?[\]{}()!+@|]/.test(glob);

/** What is wrong with a glob, in words. */
export function whyNoGlob(glob: string): string | undefined {
  try {
    globOf(glob);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
