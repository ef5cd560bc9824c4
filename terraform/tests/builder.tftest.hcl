mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_sqs_queue.dead
  values = { arn = "arn:aws:sqs:eu-central-1:123456789012:test-builder-dead-letters" }
}

override_resource {
  target = aws_iam_role.task
  values = { arn = "arn:aws:iam::123456789012:role/test-builder-task" }
}

variables {
  name            = "test"
  cluster_arn     = "arn:aws:ecs:eu-central-1:123456789012:cluster/test"
  image           = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/test/builder:abc"
  repository_arn  = "arn:aws:ecr:eu-central-1:123456789012:repository/test/builder"
  size            = { cpu = 2048, memory = 4096, disk_gb = 30 }
  architecture    = "ARM64"
  on_ec2          = false
  bucket_arn      = "arn:aws:s3:::test-sites"
  upload_role_arn = "arn:aws:iam::123456789012:role/test-upload-task"
  kms_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/test"
  log_group       = "/test/builder"
  log_days        = 30
}

run "task" {
  module {
    source = "./modules/builder"
  }

  assert {
    condition     = aws_ecs_task_definition.this[0].family == "test-builder" && aws_ecs_task_definition.this[0].ephemeral_storage[0].size_in_gib == 30 && aws_ecs_task_definition.this[0].task_role_arn == aws_iam_role.task.arn
    error_message = "the task definition that the upload service may launch"
  }

  assert {
    condition     = aws_ecs_task_definition.this[0].skip_destroy
    error_message = "an old revision stays, for the service that still launches it"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].environment == [{ name = "AWS_REGION", value = "eu-central-1" }, { name = "GITDEPLOY_LOG_FORMAT", value = "json" }] && !contains(keys(jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0]), "secrets")
    error_message = "a builder's task says nothing that a build may not know"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].name == output.container && output.container == "builder" && jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].stopTimeout == 110
    error_message = "the container that launches name, with 110 s to stop"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].linuxParameters.capabilities == { add = [], drop = ["AUDIT_WRITE", "FSETID", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETPCAP", "SYS_CHROOT"] } && !contains(keys(jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0]), "portMappings")
    error_message = "no capabilities but those that it takes to change users, and no port"
  }

  assert {
    condition     = !strcontains(aws_ecs_task_definition.this[0].container_definitions, "initProcessEnabled")
    error_message = "no init of the container engine, whose environment the build could read"
  }

  assert {
    condition     = jsondecode(aws_iam_role.task.assume_role_policy).Statement[*].Principal == [{ Service = "ecs-tasks.amazonaws.com" }] && aws_iam_role_policy.publish.role != aws_iam_role.task.id && aws_iam_role_policy.execution.role != aws_iam_role.task.id
    error_message = "the role of a builder's task has no policy: there are two in this module, and both are another's"
  }

  assert {
    condition     = { for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Sid => statement.Resource } == { LogInToEcr = "*", PullTheImage = var.repository_arn, WriteTheLog = "${aws_cloudwatch_log_group.this.arn}:*" }
    error_message = "ECS pulls the builder's image and writes its log"
  }
}

run "publish_role" {
  module {
    source = "./modules/builder"
  }

  assert {
    condition = jsondecode(aws_iam_role.publish.assume_role_policy).Statement == [
      {
        Sid       = "OnlyTheUploadServiceAndOnlyTagged"
        Effect    = "Allow"
        Action    = ["sts:AssumeRole", "sts:TagSession"]
        Principal = { AWS = "arn:aws:iam::123456789012:role/test-upload-task" }
        Condition = {
          StringLike                  = { "aws:RequestTag/gitdeploy:deployment" = "?*", "aws:RequestTag/gitdeploy:project" = "?*" }
          "ForAllValues:StringEquals" = { "aws:TagKeys" = ["gitdeploy:deployment", "gitdeploy:previous", "gitdeploy:project"] }
        }
      },
      {
        Sid       = "TheUploadServiceTries"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = "arn:aws:iam::123456789012:role/test-upload-task" }
        Condition = { StringEquals = { "sts:RoleSessionName" = "check" }, Null = { "aws:TagKeys" = "true" } }
      },
    ]
    error_message = "lent by the upload service only: to a session that says what it is for, or to try it"
  }

  assert {
    condition     = aws_iam_role.publish.max_session_duration == 3600
    error_message = "for an hour at most"
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.publish.policy).Statement : statement.Sid => flatten([statement.Action]) } == {
      WriteItsOwnDeployment   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      ReadItsOwnDeployment    = ["s3:GetObject"]
      ReadTheDeploymentBefore = ["s3:GetObject"]
      UseTheCacheOfItsProject = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    }
    error_message = "it writes and reads objects, and lists and removes none"
  }

  assert {
    condition     = alltrue([for resource in flatten([for statement in jsondecode(aws_iam_role_policy.publish.policy).Statement : statement.Resource]) : can(regex("^arn:aws:s3:::test-sites/(__(logs|manifests|outputs|uploads|variants)/[$][{]aws:PrincipalTag/gitdeploy:deployment[}](/[*]|[.]json|[.]ndjson[.]zst|[.]tar[.]zst)|__(manifests|outputs|variants)/[$][{]aws:PrincipalTag/gitdeploy:previous[}](/[*]|[.]json)|__cache/[$][{]aws:PrincipalTag/gitdeploy:project[}]/[*])$", resource))])
    error_message = "of its own deployment and the one before, and the cache of its project"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.publish.policy).Statement : statement.Condition == { Null = { "aws:PrincipalTag/gitdeploy:${lookup({ ReadTheDeploymentBefore = "previous", UseTheCacheOfItsProject = "project" }, statement.Sid, "deployment")}" = "false" } }])
    error_message = "and nothing at all without the tags"
  }
}

run "events" {
  module {
    source = "./modules/builder"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.tasks.event_pattern) == {
      source      = ["aws.ecs"]
      detail-type = ["ECS Task State Change"]
      detail = {
        clusterArn        = ["arn:aws:ecs:eu-central-1:123456789012:cluster/test"]
        taskDefinitionArn = [{ prefix = "arn:aws:ecs:eu-central-1:123456789012:task-definition/test-builder:" }]
      }
    }
    error_message = "state changes of builders in this cluster"
  }

  assert {
    condition     = aws_cloudwatch_event_target.queue.arn == aws_sqs_queue.events.arn && aws_cloudwatch_event_target.queue.dead_letter_config[0].arn == aws_sqs_queue.dead.arn && jsondecode(aws_sqs_queue.events.redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:eu-central-1:123456789012:test-builder-dead-letters", maxReceiveCount = 5 }
    error_message = "what cannot be delivered or read is kept"
  }

  assert {
    condition     = aws_sqs_queue.events.sqs_managed_sse_enabled && aws_sqs_queue.dead.sqs_managed_sse_enabled
    error_message = "queues are sealed"
  }

  assert {
    condition     = alltrue([for queue in aws_sqs_queue_policy.this : [for statement in jsondecode(queue.policy).Statement : statement.Sid if statement.Effect == "Allow"] == ["OnlyTheRuleSends"] && jsondecode(queue.policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == aws_cloudwatch_event_rule.tasks.arn]) && length(aws_sqs_queue_policy.this) == 2
    error_message = "only the rule sends to the queues"
  }
}

run "before_there_is_an_image" {
  module {
    source = "./modules/builder"
  }

  variables {
    image = null
  }

  assert {
    condition     = length(aws_ecs_task_definition.this) == 0 && output.task_definition_arn == null && length(output.passed_role_arns) == 2
    error_message = "everything but the task definition"
  }
}

run "on_ec2" {
  module {
    source = "./modules/builder"
  }

  variables {
    on_ec2 = true
  }

  assert {
    condition     = aws_ecs_task_definition.this[0].requires_compatibilities == toset(["EC2"]) && length(aws_ecs_task_definition.this[0].ephemeral_storage) == 0
    error_message = "on the operator's machines, whose disks are theirs"
  }
}

run "refused" {
  command = plan

  module {
    source = "./modules/builder"
  }

  variables {
    size = { cpu = 2048, memory = 1024, disk_gb = 10 }
  }

  expect_failures = [var.size]
}
