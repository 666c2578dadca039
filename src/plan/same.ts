/** Knows when two plain values are equal. */
import equal from "fast-deep-equal";

/**
 * Equality of JSON values. fast-deep-equal calls the methods of objects that have a `valueOf` or `toString` of their own,
 * which a label may be named: such values are compared as text, keys sorted.
 */
export function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  try {
    return equal(one, other);
  } catch {
    return canonical(one) === canonical(other);
  }
}

/** JSON with the keys of objects in order. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
