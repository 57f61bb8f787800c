#!/bin/sh
# Makes MinIO what the embedded S3 server is: both buckets, recordings readable by anyone except what is below .staging/,
# and a notification for each segment and playlist. May run again.
set -eu

mc alias set local http://minio:9000 "$MINIO_ACCESS_KEY" "$MINIO_SECRET_KEY"
mc mb --ignore-existing "local/$LIVE_BUCKET" "local/$MINIO_BUCKET"

# A bucket policy is about anonymous requests here; the service has credentials.
cat >/tmp/policy.json <<POLICY
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": { "AWS": ["*"] },
      "Action": ["s3:GetObject"],
      "Resource": ["arn:aws:s3:::$MINIO_BUCKET/*"]
    },
    {
      "Effect": "Deny",
      "Principal": { "AWS": ["*"] },
      "Action": ["s3:GetObject"],
      "Resource": ["arn:aws:s3:::$MINIO_BUCKET/.staging/*"]
    }
  ]
}
POLICY
mc anonymous set-json /tmp/policy.json "local/$MINIO_BUCKET"

mc event add --ignore-existing "local/$LIVE_BUCKET" arn:minio:sqs::RECORDING:webhook --event put --suffix .ts
