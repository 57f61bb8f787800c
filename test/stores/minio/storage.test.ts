import { startMinio } from '../../support/stores/minio.ts';
import { describeStorage } from '../../support/stores/storage-contract.ts';

describe('storage on MinIO', () => describeStorage(() => startMinio()));
