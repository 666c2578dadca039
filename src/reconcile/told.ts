/** Knows what was told already: what lasts is told once, and again only after it was gone. */
export class Told {
  private readonly texts = new Set<string>();

  /** True when this is news. */
  first(text: string): boolean {
    if (this.texts.has(text)) return false;
    this.texts.add(text);
    return true;
  }

  /** Forgets what does not last any more. */
  keepOnly(lasting: ReadonlySet<string>): void {
    for (const text of this.texts) if (!lasting.has(text)) this.texts.delete(text);
  }
}
