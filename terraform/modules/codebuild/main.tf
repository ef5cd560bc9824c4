# Builds the three images with the repository's buildspec.yml and pushes them. It is started by hand (or by whatever the
# operator likes): `aws codebuild start-build --project-name <name>-images`.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  machines = {
    ARM64  = { type = "ARM_CONTAINER", image = "aws/codebuild/amazonlinux2-aarch64-standard:3.0" }
    X86_64 = { type = "LINUX_CONTAINER", image = "aws/codebuild/amazonlinux2-x86_64-standard:5.0" }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the operator's to say; they cost by the gigabyte
  name              = "/${var.name}/images"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_codebuild_project" "this" {
  #checkov:skip=CKV_AWS_316:images cannot be built without it; the project builds only the operator's own repository
  name           = "${var.name}-images"
  description    = "Builds and pushes the images of ${var.name}"
  service_role   = aws_iam_role.this.arn
  build_timeout  = 60
  encryption_key = var.kms_key_arn
  source_version = var.source_ref
  tags           = var.tags

  source {
    type            = { github = "GITHUB", gitlab = "GITLAB", bitbucket = "BITBUCKET" }[regex("https://([a-z]+)", var.source_url)[0]]
    location        = var.source_url
    git_clone_depth = 1
    buildspec       = "buildspec.yml"
  }

  environment {
    type            = local.machines[var.architecture].type
    image           = local.machines[var.architecture].image
    compute_type    = "BUILD_GENERAL1_LARGE"
    privileged_mode = true

    dynamic "environment_variable" {
      for_each = {
        ECR_REGISTRY       = split("/", var.repositories["builder"].url)[0]
        REPOSITORY_BUILDER = var.repositories["builder"].url
        REPOSITORY_PROXY   = var.repositories["proxy"].url
        REPOSITORY_UPLOAD  = var.repositories["upload"].url
      }

      content {
        name  = environment_variable.key
        value = environment_variable.value
      }
    }
  }

  cache {
    type  = "LOCAL"
    modes = ["LOCAL_DOCKER_LAYER_CACHE"]
  }

  artifacts {
    type      = "S3"
    location  = var.artifact_bucket.name
    path      = "images"
    name      = "tags"
    packaging = "NONE"
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.this.name
    }
  }
}

resource "aws_iam_role" "this" {
  name        = "${var.name}-images"
  description = "Builds and pushes the images"
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codebuild.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "build"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "LogInToEcr"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*"
      },
      {
        Sid    = "PushTheImages"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
          "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
        Resource = [for program in sort(keys(var.repositories)) : var.repositories[program].arn]
      },
      {
        Sid      = "WriteTheLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.this.arn}:*"
      },
      {
        Sid      = "LeaveTheTags"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "${var.artifact_bucket.arn}/images/*"
      },
      {
        Sid      = "SealTheTags"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = var.kms_key_arn
      },
    ]
  })
}
