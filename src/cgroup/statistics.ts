/** Knows how the kernel writes down what it counts: flat keyed files (cgroup-v2.rst, "Format"), and pressure (Documentation/accounting/psi.rst). */

/** The number behind a name, `oom_kill 3`; undefined where there is no such line. */
export function countIn(text: string, name: string): number | undefined {
  const word = `${name} `;
  let at = text.indexOf(word);
  while (at > 0 && text.charCodeAt(at - 1) !== 10) at = text.indexOf(word, at + 1);
  return at < 0 ? undefined : Number.parseInt(text.slice(at + word.length), 10);
}

/** PSI: percent of the last ten seconds in which some processes waited, or all of them did. */
export function pressureIn(text: string, who: "some" | "full"): number | undefined {
  const found = new RegExp(`^${who} avg10=([\\d.]+)`, "m").exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}
