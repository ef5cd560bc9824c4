mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name            = "test"
  source_url      = "https://github.com/example/gitdeploy"
  source_ref      = "main"
  architecture    = "ARM64"
  artifact_bucket = { name = "test-logs", arn = "arn:aws:s3:::test-logs" }
  kms_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/test"
  log_days        = 30
  repositories = { for program in ["builder", "proxy", "upload"] : program => {
    name = "test/${program}"
    arn  = "arn:aws:ecr:eu-central-1:123456789012:repository/test/${program}"
    url  = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/test/${program}"
  } }
}

run "project" {
  module {
    source = "./modules/codebuild"
  }

  assert {
    condition     = aws_codebuild_project.this.source[0].type == "GITHUB" && aws_codebuild_project.this.source[0].buildspec == "buildspec.yml" && aws_codebuild_project.this.environment[0].type == "ARM_CONTAINER" && aws_codebuild_project.this.environment[0].privileged_mode
    error_message = "the repository's buildspec, on the processors that the images are for, with docker"
  }

  assert {
    condition     = alltrue([for variable in aws_codebuild_project.this.environment[0].environment_variable : variable.type == null || variable.type == "PLAINTEXT"]) && length([for variable in aws_codebuild_project.this.environment[0].environment_variable : variable if can(regex("SECRET|TOKEN|PASSWORD", variable.name))]) == 0
    error_message = "no secret in the environment"
  }

  assert {
    condition = one([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource if statement.Sid == "PushTheImages"]) == [
      "arn:aws:ecr:eu-central-1:123456789012:repository/test/builder",
      "arn:aws:ecr:eu-central-1:123456789012:repository/test/proxy",
      "arn:aws:ecr:eu-central-1:123456789012:repository/test/upload",
    ]
    error_message = "it pushes to the three repositories"
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid if statement.Resource == "*"] == ["LogInToEcr"]
    error_message = "only the login to ECR, which knows no resource, is for everything"
  }

  assert {
    condition     = output.artifact_url == "s3://test-logs/images/tags/image_tags.auto.tfvars.json" && one([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource if statement.Sid == "LeaveTheTags"]) == "arn:aws:s3:::test-logs/images/*"
    error_message = "where it says that it leaves the tags it may leave them"
  }
}

run "on_intel_from_gitlab" {
  module {
    source = "./modules/codebuild"
  }

  variables {
    architecture = "X86_64"
    source_url   = "https://gitlab.com/example/gitdeploy"
  }

  assert {
    condition     = aws_codebuild_project.this.environment[0].type == "LINUX_CONTAINER" && aws_codebuild_project.this.source[0].type == "GITLAB"
    error_message = "the other processors, the other forge"
  }
}

run "refused" {
  command = plan

  module {
    source = "./modules/codebuild"
  }

  variables {
    source_url = "https://user:password@github.com/example/gitdeploy"
  }

  expect_failures = [var.source_url]
}
