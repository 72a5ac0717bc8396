/** Nominal types: a brand is made only at a gateway (codec, store, config), never by a cast in a rule. Pure. */

declare const brand: unique symbol;

/** `Base` that only a gateway may make; `Name` shows in compiler messages. A brand of a brand carries both names. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: { readonly [Key in Name]: true } };
