import { registerSuite } from "./suite.ts";

registerSuite("finalizers");
