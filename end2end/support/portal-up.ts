import { remember, start } from "./portal";

export default async function up(): Promise<void> {
  remember(await start());
}
