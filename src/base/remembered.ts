/** What is computed once for each value that never changes, for as long as the value lives. Pure to its callers. */

/**
 * `compute`, which remembers its last answer for each `subject`. Both arguments are compared as objects, so a subject
 * must not be changed after it was asked for.
 */
export function remembered<Scope extends object, Subject extends object, Value>(
  compute: (scope: Scope, subject: Subject) => Value,
): (scope: Scope, subject: Subject) => Value {
  const answers = new WeakMap<Subject, { readonly scope: Scope; readonly value: Value }>();
  return (scope, subject) => {
    const known = answers.get(subject);
    if (known !== undefined && known.scope === scope) return known.value;
    const value = compute(scope, subject);
    answers.set(subject, { scope, value });
    return value;
  };
}
