/**
 * Which keys are in force where people's own keys and those of the tables meet: also after an update that gave an action a new key. One
 * key does one thing in a view. A person's own key wins over the table's, and of two own ones that of the action named first; the
 * other action has no key until it is given one.
 */

export interface Keyed {
  id: string;
  keys: readonly string[];
}

export interface InForce {
  keys: readonly string[];
  /** Keys that another action has. */
  lost: readonly { key: string; to: Keyed }[];
}

/**
 * @param views Actions whose keys must differ, because one view has them all.
 * @param own People's own keys, by the action's id.
 * @param fits Whether an action can have a key at all; what cannot counts as not chosen.
 */
export function keysInForce(
  views: readonly (readonly Keyed[])[],
  own: Readonly<Record<string, readonly string[]>>,
  fits: (action: Keyed, key: string) => boolean,
): ReadonlyMap<string, InForce> {
  const actions = [...new Set(views.flat())];
  const chosen = new Map(actions.map((action) => [action, (own[action.id] ?? []).filter((key) => fits(action, key))]));
  const isOwn = (action: Keyed): boolean => chosen.get(action)!.length > 0;
  const found = new Map<string, InForce>();
  for (const action of [...actions.filter(isOwn), ...actions.filter((one) => !isOwn(one))]) {
    const wanted = isOwn(action) ? chosen.get(action)! : action.keys;
    const beside = views.filter((view) => view.includes(action)).flat();
    const lost = wanted.flatMap((key) => {
      const to = beside.find((other) => other !== action && found.get(other.id)?.keys.includes(key));
      return to ? [{ key, to }] : [];
    });
    found.set(action.id, { keys: wanted.filter((key) => !lost.some((one) => one.key === key)), lost });
  }
  return found;
}
