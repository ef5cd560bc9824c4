# The bucket that holds every site. Nothing in it is public: visitors are answered by the proxy.

locals {
  # Who writes what visitors see.
  publishers = concat([var.publish_role_arn], var.bare_writer_arns)

  # A bare writer replaces its site; everybody else creates.
  unless_bare = length(var.bare_writer_arns) == 0 ? {} : { ArnNotEquals = { "aws:PrincipalArn" = var.bare_writer_arns } }

  tls_only = {
    Sid       = "TlsOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:*"
    Resource  = [aws_s3_bucket.sites.arn, "${aws_s3_bucket.sites.arn}/*"]
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }

  only_publishers = {
    Sid       = "OnlyPublishersWriteSites"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:PutObject"
    Resource = [
      for prefix in ["__manifests", "__outputs", "__staged", "__variants"] : "${aws_s3_bucket.sites.arn}/${prefix}/*"
    ]
    Condition = { ArnNotEquals = { "aws:PrincipalArn" = local.publishers } }
  }

  # A deployment is complete when its manifest exists, and never changes afterwards.
  manifests_once = {
    Sid       = "ManifestsAreWrittenOnce"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:PutObject"
    Resource  = "${aws_s3_bucket.sites.arn}/__manifests/*"
    Condition = merge(local.unless_bare, { Null = { "s3:if-none-match" = "true" } })
  }
}

resource "aws_s3_bucket" "sites" {
  #checkov:skip=CKV_AWS_145:sites are made to be read by everybody; a key of ours would only have to be granted to every session that is lent
  #checkov:skip=CKV_AWS_144:sites can be built again from their repositories; a copy in another region would double the bill
  #checkov:skip=CKV2_AWS_62:nobody waits for events of the bucket
  bucket        = "${var.name}-sites-${local.account}"
  force_destroy = !var.protect
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "sites" {
  bucket = aws_s3_bucket.sites.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "sites" {
  bucket = aws_s3_bucket.sites.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "sites" {
  bucket = aws_s3_bucket.sites.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "sites" {
  bucket = aws_s3_bucket.sites.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_logging" "sites" {
  bucket = aws_s3_bucket.sites.id

  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "s3/"

  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_s3_bucket_policy" "sites" {
  bucket = aws_s3_bucket.sites.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [local.tls_only, local.only_publishers, local.manifests_once]
  })

  depends_on = [aws_s3_bucket_public_access_block.sites]
}

resource "aws_s3_bucket_lifecycle_configuration" "sites" {
  bucket = aws_s3_bucket.sites.id

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  rule {
    id     = "what-was-replaced"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  dynamic "rule" {
    for_each = {
      "__builds/"  = var.build_log_days
      "__cache/"   = var.cache_days
      "__logs/"    = var.build_log_days
      "__uploads/" = var.upload_days
    }

    content {
      id     = trim(rule.key, "_/")
      status = "Enabled"

      filter {
        prefix = rule.key
      }

      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.sites]
}
