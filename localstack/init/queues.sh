#!/usr/bin/env bash
# The queues of queues.ts and serverless.yml, in LocalStack. The last one made is what its health check asks for.
set -euo pipefail

make_queue() { # name, attributes as JSON
  awslocal sqs create-queue --queue-name "$1" --attributes "$2" >/dev/null
}

# A policy is a JSON text inside of JSON.
redrive() { # dead-letter queue
  printf '"{\\"deadLetterTargetArn\\":\\"arn:aws:sqs:us-east-1:000000000000:%s\\",\\"maxReceiveCount\\":\\"5\\"}"' "$1"
}

retention='"MessageRetentionPeriod":"1209600"'
make_queue recording-segments-dlq "{$retention,\"VisibilityTimeout\":\"720\"}"
make_queue recording-jobs-dlq.fifo "{$retention,\"FifoQueue\":\"true\",\"VisibilityTimeout\":\"720\"}"
make_queue recording-segments "{$retention,\"VisibilityTimeout\":\"720\",\"RedrivePolicy\":$(redrive recording-segments-dlq)}"
make_queue recording-jobs.fifo \
  "{$retention,\"FifoQueue\":\"true\",\"VisibilityTimeout\":\"5400\",\"RedrivePolicy\":$(redrive recording-jobs-dlq.fifo)}"
