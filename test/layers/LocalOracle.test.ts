import * as LocalOracle from "../../src/layers/LocalOracle.ts"
import { oracleSuite } from "../suites/oracleSuite.ts"

oracleSuite("LocalOracle", () => LocalOracle.layer)
