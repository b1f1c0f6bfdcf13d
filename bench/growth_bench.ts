import { registerSuite } from "./suite.ts";

registerSuite("growth");
