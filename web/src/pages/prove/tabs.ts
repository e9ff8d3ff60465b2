// The ways to look at a seal, as the address has them.

export const PROVE_TABS = ["score", "compare", "attention", "sweep", "together"] as const;
export type ProveTab = (typeof PROVE_TABS)[number];
