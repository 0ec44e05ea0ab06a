"""S3 with the AWS CLI, as a person types it."""

from tests.cloud import running
from tests.services.sqs.test_aws_cli import aws


def test_a_bucket_from_the_command_line(tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"hello")
    large.write_bytes(bytes(range(256)) * (6 << 10))  # 1.5 MiB: one PUT
    back = tmp_path / "back"
    with running() as cloud:
        s3(cloud, "mb", "s3://cli-bucket")
        for source in (small, large):
            s3(cloud, "cp", str(source), "s3://cli-bucket/a/b c")
            s3(cloud, "cp", "s3://cli-bucket/a/b c", str(back))
            assert back.read_bytes() == source.read_bytes()
        s3(cloud, "cp", "s3://cli-bucket/a/b c", "s3://cli-bucket/copy", "--metadata", "m=1")
        s3(cloud, "mv", "s3://cli-bucket/copy", "s3://cli-bucket/moved")
        found = aws(cloud, "s3api", "head-object", "--bucket", "cli-bucket", "--key", "moved")
        assert found["ContentLength"] == 1_572_864
        s3(cloud, "rm", "s3://cli-bucket/moved")
        s3(cloud, "rm", "s3://cli-bucket/a/b c")
        s3(cloud, "rb", "s3://cli-bucket")
        assert aws(cloud, "s3api", "list-buckets")["Buckets"] == []


def s3(cloud, *words):
    aws(cloud, "s3", *words, is_json=False)
