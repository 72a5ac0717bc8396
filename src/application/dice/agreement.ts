/**
 * What several nodes say alike. Pure. A page that is told something by one node believes it as far as showing it; before it
 * signs it asks all that it knows. docs/dice.md, "What the page believes".
 */

/** So many that one of them is honest, where not more than a third of the known ones lie. @unit nodes */
export const believedOf = (known: number): number => Math.floor(known / 3) + 1;

/**
 * The first that `needed` of them answer alike, without waiting for the others; undefined when no such many do. What fails, or
 * answers undefined, says nothing.
 */
export async function firstAgreed<Fact>(
  answers: readonly Promise<Fact | undefined>[],
  needed: number,
): Promise<Fact | undefined> {
  const { promise, resolve } = Promise.withResolvers<Fact | undefined>();
  const voices = new Map<string, number>();
  const counted = answers.map(async (answer) => {
    const fact = await answer;
    if (fact === undefined) return;
    const text = JSON.stringify(fact);
    const count = (voices.get(text) ?? 0) + 1;
    voices.set(text, count);
    if (count >= needed) resolve(fact);
  });
  void Promise.allSettled(counted).then(() => resolve(undefined));
  return promise;
}
