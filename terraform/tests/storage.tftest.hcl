mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name             = "test"
  publish_role_arn = "arn:aws:iam::123456789012:role/test-publish"
  bare_writer_arns = []
  upload_days      = 1
  cache_days       = 14
  build_log_days   = 365
  access_log_days  = 90
  noncurrent_days  = 7
  protect          = true
  redis            = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"], max_gb = 1, max_ecpu = 5000 }
}

run "bucket" {
  module {
    source = "./modules/storage"
  }

  assert {
    condition = alltrue(flatten([for block in [aws_s3_bucket_public_access_block.sites, aws_s3_bucket_public_access_block.logs] : [
      block.block_public_acls, block.block_public_policy, block.ignore_public_acls, block.restrict_public_buckets,
    ]]))
    error_message = "no bucket is public in any way"
  }

  assert {
    condition     = [for statement in jsondecode(aws_s3_bucket_policy.sites.policy).Statement : statement.Sid] == ["TlsOnly", "OnlyPublishersWriteSites", "ManifestsAreWrittenOnce"]
    error_message = "the bucket's policy has these rules"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_s3_bucket_policy.sites.policy).Statement : statement.Effect == "Deny"])
    error_message = "the bucket's policy grants nothing to anybody"
  }

  assert {
    condition     = one([for statement in jsondecode(aws_s3_bucket_policy.sites.policy).Statement : statement.Condition if statement.Sid == "TlsOnly"]) == { Bool = { "aws:SecureTransport" = "false" } }
    error_message = "TLS only"
  }

  assert {
    condition     = one([for statement in jsondecode(aws_s3_bucket_policy.sites.policy).Statement : statement if statement.Sid == "OnlyPublishersWriteSites"]).Condition.ArnNotEquals["aws:PrincipalArn"] == [var.publish_role_arn] && one([for statement in jsondecode(aws_s3_bucket_policy.sites.policy).Statement : statement if statement.Sid == "OnlyPublishersWriteSites"]).Resource == [for prefix in ["__manifests", "__outputs", "__staged", "__variants"] : "${aws_s3_bucket.sites.arn}/${prefix}/*"]
    error_message = "only lent sessions write sites"
  }

  assert {
    condition = one([for statement in jsondecode(aws_s3_bucket_policy.sites.policy).Statement : statement if statement.Sid == "ManifestsAreWrittenOnce"]) == {
      Sid       = "ManifestsAreWrittenOnce"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "${aws_s3_bucket.sites.arn}/__manifests/*"
      Condition = { Null = { "s3:if-none-match" = "true" } }
    }
    error_message = "a manifest is written once"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.sites.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256" && aws_s3_bucket_versioning.sites.versioning_configuration[0].status == "Enabled"
    error_message = "the bucket is sealed, and what was overwritten can be restored"
  }

  assert {
    condition     = { for rule in aws_s3_bucket_lifecycle_configuration.sites.rule : rule.id => rule.expiration[0].days if contains(["builds", "cache", "logs", "uploads"], rule.id) } == { builds = 365, cache = 14, logs = 365, uploads = 1 }
    error_message = "caches, logs of builds and uploads expire"
  }

  assert {
    condition     = { for rule in aws_s3_bucket_lifecycle_configuration.sites.rule : rule.id => rule.filter[0].prefix if contains(["builds", "cache", "logs", "uploads"], rule.id) } == { builds = "__builds/", cache = "__cache/", logs = "__logs/", uploads = "__uploads/" }
    error_message = "each below its own prefix: a site never expires"
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.sites.rule : rule.abort_incomplete_multipart_upload[0].days_after_initiation if rule.id == "unfinished-uploads"]) == 1
    error_message = "unfinished uploads are removed after a day"
  }

  assert {
    condition     = aws_s3_bucket.sites.force_destroy == false && aws_dynamodb_table.catalog.deletion_protection_enabled && alltrue([for repository in aws_ecr_repository.this : !repository.force_delete])
    error_message = "what is protected is not destroyed while something is in it"
  }

  assert {
    condition     = length([for statement in jsondecode(aws_s3_bucket_policy.logs.policy).Statement : statement if statement.Effect == "Allow" && try(statement.Principal.Service, "") == ""]) == 0
    error_message = "only services of AWS write access logs"
  }
}

run "bare_writers" {
  module {
    source = "./modules/storage"
  }

  variables {
    bare_writer_arns = ["arn:aws:iam::123456789012:role/by-hand"]
  }

  assert {
    condition     = one([for statement in jsondecode(aws_s3_bucket_policy.sites.policy).Statement : statement if statement.Sid == "OnlyPublishersWriteSites"]).Condition.ArnNotEquals["aws:PrincipalArn"] == ["arn:aws:iam::123456789012:role/test-publish", "arn:aws:iam::123456789012:role/by-hand"]
    error_message = "bare writers write sites"
  }

  assert {
    condition     = [for statement in jsondecode(aws_s3_bucket_policy.sites.policy).Statement : statement.Condition.ArnNotEquals["aws:PrincipalArn"] if endswith(statement.Sid, "Once")] == [["arn:aws:iam::123456789012:role/by-hand"]]
    error_message = "bare writers replace what is there, and nobody else does"
  }
}

run "catalog_key_images" {
  module {
    source = "./modules/storage"
  }

  assert {
    condition     = aws_dynamodb_table.catalog.hash_key == "pk" && aws_dynamodb_table.catalog.range_key == "sk" && { for attribute in aws_dynamodb_table.catalog.attribute : attribute.name => attribute.type } == { pk = "S", sk = "S" } && length(aws_dynamodb_table.catalog.global_secondary_index) == 0
    error_message = "the table has the keys that the upload service knows, and no index"
  }

  assert {
    condition     = aws_dynamodb_table.catalog.ttl[0].attribute_name == "expires" && aws_dynamodb_table.catalog.ttl[0].enabled && aws_dynamodb_table.catalog.billing_mode == "PAY_PER_REQUEST" && aws_dynamodb_table.catalog.point_in_time_recovery[0].enabled
    error_message = "the table forgets what has expired, costs by request, and can be restored"
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && { for statement in jsondecode(aws_kms_key.this.policy).Statement : statement.Sid => try(statement.Principal.Service, "the account") } == { TheAccountSaysInItsPolicies = "the account", LogGroupsOfOurs = "logs.eu-central-1.amazonaws.com", AlarmsToTheirTopic = "cloudwatch.amazonaws.com" }
    error_message = "the key rotates, and two services use it"
  }

  assert {
    condition     = one([for statement in jsondecode(aws_kms_key.this.policy).Statement : statement.Condition if statement.Sid == "LogGroupsOfOurs"]) == { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:eu-central-1:123456789012:log-group:/test/*" } }
    error_message = "for log groups of ours only"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_kms_key.this.policy).Statement : !contains(values(statement.Principal), "*")])
    error_message = "the key is nobody else's"
  }

  assert {
    condition     = toset(keys(aws_ecr_repository.this)) == toset(["builder", "proxy", "upload"]) && alltrue([for repository in aws_ecr_repository.this : repository.image_tag_mutability == "IMMUTABLE" && repository.image_scanning_configuration[0].scan_on_push]) && length(aws_ecr_lifecycle_policy.this) == 3
    error_message = "three repositories whose tags never move and whose images are scanned"
  }
}

run "redis_and_secrets" {
  module {
    source = "./modules/storage"
  }

  assert {
    condition     = aws_elasticache_serverless_cache.this.engine == "valkey" && aws_elasticache_serverless_cache.this.security_group_ids == toset(["sg-1"]) && aws_elasticache_serverless_cache.this.subnet_ids == toset(["subnet-1", "subnet-2"])
    error_message = "Valkey, where it was told to lie"
  }

  assert {
    condition     = aws_elasticache_user.builder.access_string == "on ~events:* resetchannels &logs:* -@all +xadd +expire +publish +ping"
    error_message = "a builder appends and tells, and reads nothing"
  }

  assert {
    condition     = aws_elasticache_user.proxy.access_string == "on resetkeys resetchannels &routes -@all +subscribe +unsubscribe +ping"
    error_message = "the proxy hears of routes, and says nothing"
  }

  assert {
    condition     = alltrue([for user in [aws_elasticache_user.api, aws_elasticache_user.builder, aws_elasticache_user.proxy] : strcontains(user.access_string, "resetchannels") && !strcontains(user.access_string, "+@") && !strcontains(user.access_string, "~*") && !strcontains(user.access_string, "allkeys")])
    error_message = "no login has a whole category of commands, or all keys"
  }

  assert {
    condition     = startswith(aws_elasticache_user.default.access_string, "off ") && aws_elasticache_user.default.user_name == "default"
    error_message = "nobody gets in without a login"
  }

  assert {
    condition     = aws_elasticache_user_group.this.user_ids == toset(["test-api", "test-builder", "test-default", "test-proxy"])
    error_message = "the four users"
  }

  assert {
    condition     = alltrue([for parameter in concat(values(aws_ssm_parameter.secret), values(aws_ssm_parameter.redis_url)) : parameter.type == "SecureString" && parameter.key_id == aws_kms_key.this.arn && startswith(parameter.name, "/test/")])
    error_message = "secrets are sealed with the key"
  }

  assert {
    condition     = nonsensitive(aws_ssm_parameter.redis_url["builder"].value) == "rediss://test-builder:${nonsensitive(aws_ssm_parameter.secret["redis-builder-password"].value)}@made.serverless.euc1.cache.amazonaws.com:6379"
    error_message = "the address says TLS, the login of builders and where Redis is"
  }

  assert {
    condition     = nonsensitive(one(aws_elasticache_user.builder.authentication_mode[0].passwords)) == nonsensitive(aws_ssm_parameter.secret["redis-builder-password"].value)
    error_message = "Redis knows the password that the address says"
  }

  assert {
    condition     = alltrue([for secret in data.aws_secretsmanager_random_password.new : secret.password_length >= 48 && secret.exclude_punctuation])
    error_message = "secrets are long, and fit into an address"
  }

  assert {
    condition     = !strcontains(jsonencode(output.secrets), nonsensitive(aws_ssm_parameter.secret["api-token"].value))
    error_message = "outputs name secrets and do not show them"
  }
}

run "refused" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    redis = { subnet_ids = ["subnet-1"], security_group_ids = [], max_gb = 0, max_ecpu = 5000 }
  }

  expect_failures = [var.redis]
}
