mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  domain         = "sites.example.org"
  hosted_zone_id = "Z0123456789ABC"
  image_tags     = { builder = "1a2b3c4", proxy = "1a2b3c4", upload = "1a2b3c4" }
}

run "load_balancer" {
  assert {
    condition     = aws_lb_listener.https.port == 443 && aws_lb_listener.https.protocol == "HTTPS" && startswith(aws_lb_listener.https.ssl_policy, "ELBSecurityPolicy-TLS13-1-2-") && aws_lb_listener.https.default_action[0].fixed_response[0].status_code == "404"
    error_message = "443 with a new TLS, and 404 for foreign hosts"
  }

  assert {
    condition     = aws_lb_listener.http.port == 80 && aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS" && aws_lb_listener.http.default_action[0].redirect[0].status_code == "HTTP_301"
    error_message = "80 redirects"
  }

  assert {
    condition     = aws_lb.this.internal == false && aws_lb.this.drop_invalid_header_fields && aws_lb.this.enable_deletion_protection && aws_lb.this.access_logs[0].enabled
    error_message = "public, careful, protected, logged"
  }

  assert {
    condition     = aws_lb.this.security_groups == toset([module.network.security_group_ids.load_balancer]) && aws_lb.this.subnets == toset(module.network.public_subnet_ids)
    error_message = "the load balancer lies in the public subnets, with its own group"
  }

  assert {
    condition     = toset(keys(aws_route53_record.this)) == toset(["api.sites.example.org", "*.sites.example.org"]) && alltrue([for record in aws_route53_record.this : record.alias[0].name == aws_lb.this.dns_name])
    error_message = "both names lead to the load balancer"
  }

  assert {
    condition     = aws_acm_certificate.this[0].domain_name == "*.sites.example.org" && aws_acm_certificate.this[0].validation_method == "DNS"
    error_message = "one certificate for all sites and the API"
  }
}

# What each service may do, as a whole: a permission that is not here is a mistake.
run "permissions_of_the_upload_service" {
  assert {
    condition = { for statement in jsondecode(local.upload_policy).Statement : statement.Sid => flatten([statement.Action]) } == {
      LaunchBuilders           = ["ecs:RunTask"]
      WatchBuilders            = ["ecs:DescribeTasks"]
      StopBuilders             = ["ecs:StopTask"]
      FindBuilders             = ["ecs:ListTasks"]
      TagBuildersAtTheirLaunch = ["ecs:TagResource"]
      HandBuildersTheirRoles   = ["iam:PassRole"]
      LendThePublishRole       = ["sts:AssumeRole", "sts:TagSession"]
      ReadObjects              = ["s3:GetObject"]
      WriteObjects             = ["s3:AbortMultipartUpload", "s3:PutObject"]
      RemoveObjects            = ["s3:DeleteObject"]
      TellAbsentFromRefused    = ["s3:ListBucket"]
      KeepTheCatalog           = ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
      SealSecrets              = ["kms:Decrypt", "kms:GenerateDataKey"]
      ReadEventsOfBuilders     = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
    }
    error_message = "these actions and no other"
  }

  assert {
    condition     = [for statement in jsondecode(local.upload_policy).Statement : statement.Sid if contains(flatten([statement.Resource]), "*")] == ["FindBuilders"]
    error_message = "only ListTasks, which knows no resource, is for everything"
  }

  assert {
    condition     = !anytrue([for action in flatten([for statement in jsondecode(local.upload_policy).Statement : statement.Action]) : strcontains(action, "*")]) && alltrue([for statement in jsondecode(local.upload_policy).Statement : statement.Effect == "Allow" && !contains(keys(statement), "NotAction") && !contains(keys(statement), "NotResource")])
    error_message = "no action by pattern"
  }

  assert {
    condition = { for statement in jsondecode(local.upload_policy).Statement : statement.Sid => statement.Condition if contains(keys(statement), "Condition") } == {
      LaunchBuilders           = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.this.arn } }
      WatchBuilders            = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.this.arn } }
      StopBuilders             = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.this.arn }, Null = { "aws:ResourceTag/gitdeploy:deployment" = "false" } }
      FindBuilders             = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.this.arn } }
      TagBuildersAtTheirLaunch = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
      HandBuildersTheirRoles   = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      SealSecrets              = { StringEquals = { "kms:EncryptionContext:gitdeploy:purpose" = "claims" } }
    }
    error_message = "in our cluster only, builders only, at a launch only, to tasks only, under one context only"
  }

  assert {
    condition     = one([for statement in jsondecode(local.upload_policy).Statement : statement.Resource if statement.Sid == "LaunchBuilders"]) == "arn:aws:ecs:eu-central-1:123456789012:task-definition/gitdeploy-builder:*"
    error_message = "it launches builders and nothing else"
  }

  assert {
    condition = { for statement in jsondecode(local.upload_policy).Statement : statement.Sid => [for resource in flatten([statement.Resource]) : trimprefix(resource, "${module.storage.bucket.arn}/")] if endswith(statement.Sid, "Objects") } == {
      ReadObjects   = ["__logs/*", "__manifests/*", "__routes/*", "__uploads/*", "__keys/explain"]
      WriteObjects  = ["__builds/*", "__logs/*", "__routes/*", "__uploads/*", "__keys/explain"]
      RemoveObjects = ["__builds/*", "__logs/*", "__uploads/*"]
    }
    error_message = "it writes routes, logs, uploads and the key of grants, and never a site"
  }

  assert {
    condition     = length(one([for statement in jsondecode(local.upload_policy).Statement : statement.Resource if statement.Sid == "HandBuildersTheirRoles"])) == 2
    error_message = "it hands on two roles"
  }
}

run "permissions_of_the_proxy" {
  assert {
    condition = { for statement in jsondecode(local.proxy_policy).Statement : statement.Sid => [for resource in flatten([statement.Resource]) : trimprefix(resource, module.storage.bucket.arn)] } == {
      ReadSites             = ["/__builds/*", "/__manifests/*", "/__outputs/*", "/__routes/*", "/__variants/*", "/__keys/explain"]
      TellAbsentFromRefused = [""]
    }
    error_message = "the proxy reads what it serves, and the key of grants"
  }

  assert {
    condition     = [for statement in jsondecode(local.proxy_policy).Statement : statement.Action] == ["s3:GetObject", "s3:ListBucket"]
    error_message = "and only reads"
  }
}

run "settings_of_the_operator" {
  variables {
    upload = {
      environment = {
        GITDEPLOY_API_UPLOAD_LIMIT_BYTES = "5000000"
        GITDEPLOY_BUILD_PASS             = "NPM_TOKEN, NPM_REGISTRY"
        GITDEPLOY_BUILD_SECONDS          = "600"
        GITDEPLOY_ECS_CLUSTER            = "another"
        GITDEPLOY_API_TOKEN              = "a token that everybody reads"
        NPM_REGISTRY                     = "https://packages.example.org"
      }
      secrets = {
        GITDEPLOY_STORE_BUCKET = "arn:aws:ssm:eu-central-1:123456789012:parameter/bucket"
        NPM_TOKEN              = "arn:aws:ssm:eu-central-1:123456789012:parameter/npm-token"
      }
    }
  }

  assert {
    condition     = { for name, value in local.upload_environment : name => value if !contains(keys(local.our_environment), name) } == { GITDEPLOY_API_UPLOAD_LIMIT_BYTES = "5000000", GITDEPLOY_BUILD_PASS = "NPM_TOKEN, NPM_REGISTRY", GITDEPLOY_BUILD_SECONDS = "600", NPM_REGISTRY = "https://packages.example.org" }
    error_message = "the operator's settings come besides ours"
  }

  assert {
    condition     = local.upload_environment.GITDEPLOY_ECS_CLUSTER == aws_ecs_cluster.this.name && local.upload_secrets.GITDEPLOY_API_TOKEN == module.storage.secrets.api_token.arn
    error_message = "and never instead"
  }

  assert {
    condition     = { for name, arn in local.upload_secrets : name => arn if !contains(keys(local.our_secrets), name) } == { NPM_TOKEN = "arn:aws:ssm:eu-central-1:123456789012:parameter/npm-token" }
    error_message = "so do secrets, of which none takes the place of a value of ours"
  }

  assert {
    condition     = length(setintersection(keys(local.upload_environment), keys(local.upload_secrets))) == 0
    error_message = "ECS takes no name twice"
  }
}

run "cluster" {
  assert {
    condition     = aws_ecs_cluster_capacity_providers.this.capacity_providers == toset(["FARGATE", "FARGATE_SPOT"]) && one(aws_ecs_cluster.this.setting).value == "disabled"
    error_message = "Fargate, on demand and spot"
  }
}

run "with_everything_brought_along" {
  variables {
    hosted_zone_id        = null
    certificate_arn       = "arn:aws:acm:eu-central-1:123456789012:certificate/given"
    ec2_capacity_provider = "machines"
    builder_capacity      = "ec2"
    container_insights    = true
    bare_writer_arns      = ["arn:aws:iam::123456789012:role/by-hand"]
    protect               = false
  }

  assert {
    condition     = aws_lb_listener.https.certificate_arn == "arn:aws:acm:eu-central-1:123456789012:certificate/given" && length(aws_acm_certificate.this) == 0 && length(aws_route53_record.this) == 0
    error_message = "the given certificate, and no record"
  }

  assert {
    condition     = output.dns_records == { names = ["api.sites.example.org", "*.sites.example.org"], target = aws_lb.this.dns_name }
    error_message = "which records to make is said"
  }

  assert {
    condition     = contains(aws_ecs_cluster_capacity_providers.this.capacity_providers, "machines") && one(aws_ecs_cluster.this.setting).value == "enabled" && aws_lb.this.enable_deletion_protection == false
    error_message = "the given machines, measured, not protected"
  }

  assert {
    condition     = contains(jsondecode(local.proxy_policy).Statement[0].Resource, "${module.storage.bucket.arn}/__staged/*")
    error_message = "what bare writers stage is served"
  }
}

run "refused" {
  command = plan

  variables {
    domain             = "https://Example.org"
    name               = "My Sites"
    hosted_zone_id     = "example.org"
    image_tags         = { builder = "latest", proxy = "1", upload = "1" }
    cidr               = "10.0.0.0/8"
    zones              = 4
    architecture       = "arm64"
    service_capacity   = "lambda"
    builder_capacity   = "laptop"
    proxy              = { min = 0 }
    upload             = { min = 3, max = 2 }
    builder            = { at_once = 0 }
    redis_max_gb       = 0.5
    queue_wait_seconds = 100000
    bare_writer_arns   = ["*"]
    log_days           = 8
    retention          = { uploads = 0 }
  }

  expect_failures = [
    var.domain, var.name, var.hosted_zone_id, var.image_tags, var.cidr, var.zones,
    var.architecture, var.service_capacity, var.builder_capacity, var.proxy, var.upload, var.builder, var.redis_max_gb,
    var.queue_wait_seconds, var.bare_writer_arns, var.log_days, var.retention,
  ]
}

run "another_kind_of_certificate_is_refused" {
  command = plan

  variables {
    certificate_arn = "arn:aws:iam::123456789012:server-certificate/old"
  }

  expect_failures = [var.certificate_arn]
}

run "neither_zone_nor_certificate_is_refused" {
  command = plan

  variables {
    hosted_zone_id = null
  }

  expect_failures = [var.certificate_arn]
}

run "another_kind_of_nat_is_refused" {
  command = plan

  variables {
    nat = "maybe"
  }

  expect_failures = [var.nat]
}

run "ec2_without_nat_is_refused" {
  command = plan

  variables {
    nat                   = "none"
    builder_capacity      = "ec2"
    ec2_capacity_provider = "machines"
  }

  expect_failures = [var.nat]
}

run "services_on_ec2_without_nat_are_refused" {
  command = plan

  variables {
    nat                   = "none"
    service_capacity      = "ec2"
    ec2_capacity_provider = "machines"
  }

  expect_failures = [var.nat]
}

run "a_setting_of_somebody_else_is_refused" {
  command = plan

  variables {
    upload = { environment = { GITDEPLOY_BUILD_PASS = "NPM_TOKEN", AWS_PROFILE = "mine" } }
  }

  expect_failures = [var.upload]
}

run "a_secret_of_somebody_else_is_refused" {
  command = plan

  variables {
    upload = { secrets = { NPM_TOKEN = "arn:aws:ssm:eu-central-1:123456789012:parameter/npm-token" } }
  }

  expect_failures = [var.upload]
}

run "a_secret_that_is_a_value_too_is_refused" {
  command = plan

  variables {
    upload = {
      environment = { GITDEPLOY_API_READY_SECONDS = "60" }
      secrets     = { GITDEPLOY_API_READY_SECONDS = "arn:aws:ssm:eu-central-1:123456789012:parameter/ready" }
    }
  }

  expect_failures = [var.upload]
}

run "secrets_by_pattern_are_refused" {
  command = plan

  variables {
    upload = { secrets = { GITDEPLOY_LOG_FILTER = "arn:aws:ssm:eu-central-1:123456789012:parameter/*" } }
  }

  expect_failures = [var.upload]
}

run "ec2_without_a_provider_is_refused" {
  command = plan

  variables {
    builder_capacity = "ec2"
  }

  expect_failures = [var.ec2_capacity_provider]
}

run "wrong_number_of_zones_is_refused" {
  command = plan

  variables {
    zone_names = ["eu-central-1a"]
  }

  expect_failures = [var.zone_names]
}
