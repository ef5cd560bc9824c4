# The documents that the tests of the programs are run under, and those that are deployed: what is proved there holds here.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = module.storage.aws_s3_bucket.sites
  values = { arn = "arn:aws:s3:::sites" }
}

run "services" {
  variables {
    domain         = "sites.example.org"
    hosted_zone_id = "Z0123456789ABC"
  }

  assert {
    condition     = jsondecode(local.proxy_policy) == jsondecode(file("../crates/gitdeploy-test/tests/policies/proxy-role.json"))
    error_message = "what the proxy may do"
  }

  assert {
    condition = [for statement in jsondecode(local.upload_policy).Statement : statement if alltrue([for action in flatten([statement.Action]) : startswith(action, "s3:")])] == [
      for statement in jsondecode(file("../crates/gitdeploy-test/tests/policies/upload-service-role.json")).Statement : statement
    ]
    error_message = "what the upload service may do in the bucket"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(local.upload_policy).Statement : alltrue([for action in flatten([statement.Action]) : startswith(action, "s3:")]) || !anytrue([for action in flatten([statement.Action]) : startswith(action, "s3:")])])
    error_message = "no statement is about the bucket and something else"
  }
}

run "publish_role" {
  module {
    source = "./modules/builder"
  }

  variables {
    name            = "test"
    cluster_arn     = "arn:aws:ecs:eu-central-1:123456789012:cluster/test"
    image           = null
    repository_arn  = "arn:aws:ecr:eu-central-1:123456789012:repository/test/builder"
    size            = { cpu = 2048, memory = 4096, disk_gb = 30 }
    architecture    = "ARM64"
    on_ec2          = false
    bucket_arn      = "arn:aws:s3:::sites"
    upload_role_arn = "arn:aws:iam::123456789012:role/test-upload-task"
    kms_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/test"
    log_group       = "/test/builder"
    log_days        = 30
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.publish.policy) == jsondecode(file("../crates/gitdeploy-test/tests/policies/publish-role.json"))
    error_message = "what is lent to builders"
  }
}
