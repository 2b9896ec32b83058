// So many of the items, spread evenly over all of them; with another turn others.
export const sample = <A>(items: ReadonlyArray<A>, countMax: number, turn: number): Array<A> => {
  const stride = Math.max(1, Math.ceil(items.length / countMax))
  return items.filter((_, index) => index % stride === turn % stride)
}
