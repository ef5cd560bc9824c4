mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name           = "test-proxy"
  log_group      = "/test/proxy"
  cluster        = { name = "test", arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/test" }
  image          = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/test/proxy:abc"
  repository_arn = "arn:aws:ecr:eu-central-1:123456789012:repository/test/proxy"
  size           = { cpu = 256, memory = 512 }
  architecture   = "ARM64"
  capacity       = "fargate"
  scaling        = { min = 2, max = 10, cpu_percent = 60, requests_per_target = 30000 }
  port           = 8080
  environment    = { B = "2", A = "1" }
  secrets        = { TOKEN = "arn:aws:ssm:eu-central-1:123456789012:parameter/test/token" }
  kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:key/test"
  task_policy    = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  writable_paths = ["/data"]
  network        = { vpc_id = "vpc-1", subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], public_address = false }
  listener       = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/test/1/2", load_balancer_arn_suffix = "app/test/1", hosts = ["*.example.org"], priority = 200 }
  log_days       = 30
}

run "task" {
  module {
    source = "./modules/service"
  }

  assert {
    condition     = aws_ecs_task_definition.this[0].network_mode == "awsvpc" && aws_ecs_task_definition.this[0].requires_compatibilities == toset(["FARGATE"]) && aws_ecs_task_definition.this[0].runtime_platform[0].cpu_architecture == "ARM64"
    error_message = "a task of Fargate, with the given processors"
  }

  assert {
    condition     = aws_ecs_task_definition.this[0].skip_destroy
    error_message = "an old revision stays, for the service that goes back to it"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].readonlyRootFilesystem && jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].linuxParameters.capabilities.drop == ["ALL"] && jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].stopTimeout == 60
    error_message = "a read-only file system, no capabilities, a minute to stop"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].mountPoints == [{ sourceVolume = "writable-0", containerPath = "/data", readOnly = false }] && length(aws_ecs_task_definition.this[0].volume) == 1
    error_message = "what it writes to is a volume"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].environment == [{ name = "A", value = "1" }, { name = "B", value = "2" }] && jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].secrets == [{ name = "TOKEN", valueFrom = "arn:aws:ssm:eu-central-1:123456789012:parameter/test/token" }]
    error_message = "settings are variables, and secrets are read from their parameters"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].image == var.image && !contains(keys(jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0]), "privileged")
    error_message = "the given image, without privileges"
  }
}

run "service" {
  module {
    source = "./modules/service"
  }

  assert {
    condition     = aws_ecs_service.this[0].deployment_circuit_breaker[0].enable && aws_ecs_service.this[0].deployment_circuit_breaker[0].rollback && aws_ecs_service.this[0].deployment_minimum_healthy_percent == 100
    error_message = "a deployment that fails is rolled back, and costs no task"
  }

  assert {
    condition     = aws_ecs_service.this[0].desired_count == 2 && aws_ecs_service.this[0].network_configuration[0].assign_public_ip == false && aws_ecs_service.this[0].network_configuration[0].security_groups == toset(["sg-1"])
    error_message = "two tasks, without public addresses"
  }

  assert {
    condition     = [for strategy in aws_ecs_service.this[0].capacity_provider_strategy : [strategy.capacity_provider, strategy.base, strategy.weight]] == [["FARGATE", 1, 1]]
    error_message = "on demand"
  }

  assert {
    condition     = aws_lb_target_group.this.target_type == "ip" && aws_lb_target_group.this.health_check[0].path == "/healthz" && aws_lb_target_group.this.health_check[0].matcher == "200"
    error_message = "the load balancer asks whether the program answers, and takes no 404 for it"
  }

  assert {
    condition     = one(aws_lb_listener_rule.this.condition).host_header[0].values == toset(["*.example.org"]) && aws_lb_listener_rule.this.priority == 200 && aws_lb_listener_rule.this.action[0].target_group_arn == aws_lb_target_group.this.arn
    error_message = "the host leads to the service"
  }

  assert {
    condition     = aws_appautoscaling_target.this[0].min_capacity == 2 && aws_appautoscaling_target.this[0].max_capacity == 10 && aws_appautoscaling_target.this[0].resource_id == "service/test/test-proxy"
    error_message = "from two to ten tasks"
  }

  assert {
    condition     = aws_appautoscaling_policy.cpu[0].target_tracking_scaling_policy_configuration[0].target_value == 60 && aws_appautoscaling_policy.cpu[0].target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type == "ECSServiceAverageCPUUtilization"
    error_message = "more when the CPU is busy"
  }

  assert {
    condition     = aws_appautoscaling_policy.requests[0].target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type == "ALBRequestCountPerTarget" && aws_appautoscaling_policy.requests[0].target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].resource_label == "app/test/1/targetgroup/made/1"
    error_message = "more when there are many requests"
  }
}

run "roles" {
  module {
    source = "./modules/service"
  }

  assert {
    condition     = { for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Sid => statement.Resource if statement.Resource == "*" } == { LogInToEcr = "*" } && one([for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Action if statement.Resource == "*"]) == "ecr:GetAuthorizationToken"
    error_message = "only the login to ECR, which knows no resource, is for everything"
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Sid => statement.Resource if statement.Resource != "*" } == {
      PullTheImage = "arn:aws:ecr:eu-central-1:123456789012:repository/test/proxy"
      WriteTheLog  = "${aws_cloudwatch_log_group.this.arn}:*"
      ReadSecrets  = ["arn:aws:ssm:eu-central-1:123456789012:parameter/test/token"]
      OpenSecrets  = "arn:aws:kms:eu-central-1:123456789012:key/test"
    }
    error_message = "ECS pulls the image, writes the log and reads the secrets of this service"
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement if statement.Sid == "OpenSecrets"]).Condition.StringEquals["kms:EncryptionContext:PARAMETER_ARN"] == ["arn:aws:ssm:eu-central-1:123456789012:parameter/test/token"]
    error_message = "the key opens the parameters of this service only"
  }

  assert {
    condition     = jsondecode(aws_iam_role.task.assume_role_policy).Statement[*].Principal == [{ Service = "ecs-tasks.amazonaws.com" }] && jsondecode(aws_iam_role.execution.assume_role_policy).Statement[*].Principal == [{ Service = "ecs-tasks.amazonaws.com" }]
    error_message = "only tasks have the roles"
  }

  assert {
    condition     = aws_iam_role_policy.task.policy == var.task_policy && aws_iam_role_policy.task.role == aws_iam_role.task.id
    error_message = "the program may do what it was given"
  }
}

run "secrets_of_the_operator" {
  module {
    source = "./modules/service"
  }

  variables {
    secrets = {
      NPM_TOKEN = "arn:aws:ssm:eu-central-1:123456789012:parameter/npm-token"
      TOKEN     = "arn:aws:ssm:eu-central-1:123456789012:parameter/test/token"
    }
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement if statement.Sid == "ReadSecrets"]).Resource == [for name in ["NPM_TOKEN", "TOKEN"] : var.secrets[name]] && one([for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement if statement.Sid == "OpenSecrets"]).Condition.StringEquals["kms:EncryptionContext:PARAMETER_ARN"] == [for name in ["NPM_TOKEN", "TOKEN"] : var.secrets[name]]
    error_message = "each parameter is read, and opened where the key sealed it"
  }
}

run "without_secrets" {
  module {
    source = "./modules/service"
  }

  variables {
    secrets = {}
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Sid] == ["LogInToEcr", "PullTheImage", "WriteTheLog"]
    error_message = "no secrets, no permission to read any"
  }
}

run "on_spot_with_a_public_address" {
  module {
    source = "./modules/service"
  }

  variables {
    capacity = "fargate-spot"
    scaling  = { min = 1, max = 1, cpu_percent = 60 }
    network  = { vpc_id = "vpc-1", subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], public_address = true }
  }

  assert {
    condition     = { for strategy in aws_ecs_service.this[0].capacity_provider_strategy : strategy.capacity_provider => [strategy.base, strategy.weight] } == { FARGATE = [1, 1], FARGATE_SPOT = [0, 4] }
    error_message = "one task on demand, the others mostly on spot"
  }

  assert {
    condition     = aws_ecs_service.this[0].network_configuration[0].assign_public_ip && length(aws_appautoscaling_policy.requests) == 0
    error_message = "a public address, and no scaling by requests"
  }
}

run "on_ec2" {
  module {
    source = "./modules/service"
  }

  variables {
    capacity              = "ec2"
    ec2_capacity_provider = "machines"
    network               = { vpc_id = "vpc-1", subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], public_address = true }
  }

  assert {
    condition     = aws_ecs_task_definition.this[0].requires_compatibilities == toset(["EC2"]) && one(aws_ecs_service.this[0].capacity_provider_strategy).capacity_provider == "machines" && aws_ecs_service.this[0].network_configuration[0].assign_public_ip == false
    error_message = "on the operator's machines, where tasks have no public addresses"
  }
}

run "before_there_is_an_image" {
  module {
    source = "./modules/service"
  }

  variables {
    image = null
  }

  assert {
    condition     = length(aws_ecs_service.this) == 0 && length(aws_ecs_task_definition.this) == 0 && length(aws_appautoscaling_target.this) == 0 && output.task_definition_arn == null && aws_lb_target_group.this.port == 8080
    error_message = "everything but the service"
  }
}

run "refused" {
  command = plan

  module {
    source = "./modules/service"
  }

  variables {
    size     = { cpu = 300, memory = 512 }
    capacity = "lambda"
    scaling  = { min = 3, max = 2, cpu_percent = 60 }
    image    = null
  }

  expect_failures = [var.size, var.capacity, var.scaling]
}

run "ec2_without_a_provider_is_refused" {
  command = plan

  module {
    source = "./modules/service"
  }

  variables {
    capacity = "ec2"
  }

  expect_failures = [aws_ecs_service.this]
}
