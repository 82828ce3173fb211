import { defineConfig } from "@playwright/test";
import usual from "./playwright.config";

// On the test cluster alone: scripts/kubernetes/test.sh starts the portal and the cluster that this needs.
export default defineConfig({
  ...usual,
  testDir: "kubernetes",
  outputDir: "test-results/kubernetes",
  globalSetup: undefined,
  globalTeardown: undefined,
  timeout: 420_000,
});
