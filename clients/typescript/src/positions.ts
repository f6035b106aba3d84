/** How many commands a read waits for at most. Older ones are in the read models long since. */
const MAX_POSITIONS = 8;
const MAX_AGE_MS = 60_000;

/** The positions of the account's last commands. They are opaque, and belong to the account. */
export class Positions {
  #recent: { position: string; at: number }[] = [];

  add(position: string): void {
    const others = this.#recent.filter((known) => known.position !== position);
    this.#recent = [...others, { position, at: Date.now() }].slice(-MAX_POSITIONS);
  }

  clear(): void {
    this.#recent = [];
  }

  /** For `Feedmill-Min-Position`; undefined if there was no command lately. */
  header(): string | undefined {
    this.#recent = this.#recent.filter(({ at }) => Date.now() - at < MAX_AGE_MS);
    return this.#recent.map(({ position }) => position).join(",") || undefined;
  }
}
