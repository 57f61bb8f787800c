import { startMinio } from '../../support/stores/minio.ts';
import { describeRecordings } from '../../support/stores/recording-contract.ts';

describe('a recording on MinIO', () => describeRecordings(() => startMinio()));
