import { portal, stop } from "./portal";

export default async function down(): Promise<void> {
  await stop(portal().pid);
}
