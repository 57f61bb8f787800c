/** Waits for conditions in tests; never for a fixed time. */

/** Resolves once `condition` is true (or resolves to true). @throws after `deadlineMs` */
export async function until(condition: () => boolean | Promise<boolean>, deadlineMs: number): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
