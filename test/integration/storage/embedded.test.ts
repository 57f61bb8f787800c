/** The contract of a store on the embedded S3; test/stores/ has the same on real servers. */
import { startEmbedded } from '../../support/stores/embedded.ts';
import { describeStorage } from '../../support/stores/storage-contract.ts';

describe('storage on the embedded S3', () => describeStorage(startEmbedded));
