locals {
  assumed_by_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role" "execution" {
  name               = "${local.family}-execution"
  description        = "What ECS does to start a builder"
  assume_role_policy = local.assumed_by_tasks
  tags               = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name = "start"
  role = aws_iam_role.execution.id
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
        Sid      = "PullTheImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = var.repository_arn
      },
      {
        Sid      = "WriteTheLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.this.arn}:*"
      },
    ]
  })
}

# The role that a build can reach from inside its task. It has no policy.
resource "aws_iam_role" "task" {
  name               = "${local.family}-task"
  description        = "What a builder may do by itself: nothing"
  assume_role_policy = local.assumed_by_tasks
  tags               = var.tags
}

# Lent by the upload service, one session for each attempt, with a session policy that names the deployment's keys. Even
# without one a session reaches only what its tags name.
resource "aws_iam_role" "publish" {
  name                 = "${var.name}-publish"
  description          = "Lent to a builder for its own deployment"
  max_session_duration = 3600
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTheUploadServiceAndOnlyTagged"
        Effect    = "Allow"
        Action    = ["sts:AssumeRole", "sts:TagSession"]
        Principal = { AWS = var.upload_role_arn }
        Condition = {
          StringLike = {
            "aws:RequestTag/gitdeploy:deployment" = "?*"
            "aws:RequestTag/gitdeploy:project"    = "?*"
          }
          # The first deployment of a project has none before it.
          "ForAllValues:StringEquals" = { "aws:TagKeys" = ["gitdeploy:deployment", "gitdeploy:previous", "gitdeploy:project"] }
        }
      },
      {
        # At its start the upload service tries whether the role can be lent. Such a session has no tags and may do nothing.
        Sid       = "TheUploadServiceTries"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = var.upload_role_arn }
        Condition = {
          StringEquals = { "sts:RoleSessionName" = "check" }
          Null         = { "aws:TagKeys" = "true" }
        }
      },
    ]
  })
}

locals {
  deployment = "$${aws:PrincipalTag/gitdeploy:deployment}"
  previous   = "$${aws:PrincipalTag/gitdeploy:previous}"
  project    = "$${aws:PrincipalTag/gitdeploy:project}"

  # Without the tag there would be no key to speak of, but a rule that says so is easier to believe.
  tagged = { Null = { "aws:PrincipalTag/gitdeploy:deployment" = "false" } }

  of_a_successor = { Null = { "aws:PrincipalTag/gitdeploy:previous" = "false" } }

  of_a_project = { Null = { "aws:PrincipalTag/gitdeploy:project" = "false" } }
}

resource "aws_iam_role_policy" "publish" {
  name = "publish"
  role = aws_iam_role.publish.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "WriteItsOwnDeployment"
        Effect = "Allow"
        Action = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = [
          "${var.bucket_arn}/__logs/${local.deployment}.ndjson.zst",
          "${var.bucket_arn}/__manifests/${local.deployment}.json",
          "${var.bucket_arn}/__outputs/${local.deployment}/*",
          "${var.bucket_arn}/__variants/${local.deployment}/*",
        ]
        Condition = local.tagged
      },
      {
        Sid    = "ReadItsOwnDeployment"
        Effect = "Allow"
        Action = "s3:GetObject"
        Resource = [
          "${var.bucket_arn}/__logs/${local.deployment}.ndjson.zst",
          "${var.bucket_arn}/__manifests/${local.deployment}.json",
          "${var.bucket_arn}/__outputs/${local.deployment}/*",
          "${var.bucket_arn}/__uploads/${local.deployment}.tar.zst",
          "${var.bucket_arn}/__variants/${local.deployment}/*",
        ]
        Condition = local.tagged
      },
      {
        # What has not changed is copied from there.
        Sid    = "ReadTheDeploymentBefore"
        Effect = "Allow"
        Action = "s3:GetObject"
        Resource = [
          "${var.bucket_arn}/__manifests/${local.previous}.json",
          "${var.bucket_arn}/__outputs/${local.previous}/*",
          "${var.bucket_arn}/__variants/${local.previous}/*",
        ]
        Condition = local.of_a_successor
      },
      {
        # Which level of it, the session policy says: previews do not write what production reads.
        Sid       = "UseTheCacheOfItsProject"
        Effect    = "Allow"
        Action    = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        Resource  = "${var.bucket_arn}/__cache/${local.project}/*"
        Condition = local.of_a_project
      },
    ]
  })
}
