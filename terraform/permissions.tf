# What the two services may do, to the letter. A builder may do nothing (modules/builder); what is lent to it is there too.

locals {
  # Where the image has a volume of the program's user.
  data_directory = "/data"

  tasks = "arn:${local.partition}:ecs:${local.region}:${local.account}:task/${aws_ecs_cluster.this.name}/*"

  in_our_cluster = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.this.arn } }

  # Without it S3 answers 403 for what is not there. It is for the whole bucket: a request for one object names no prefix
  # that a condition could compare.
  tell_absent_from_refused = {
    Sid      = "TellAbsentFromRefused"
    Effect   = "Allow"
    Action   = "s3:ListBucket"
    Resource = module.storage.bucket.arn
  }

  # Only a site that is replaced by hand has files that are staged for a while.
  served = concat(["__builds", "__manifests", "__outputs", "__routes", "__variants"], length(var.bare_writer_arns) == 0 ? [] : ["__staged"])

  # What the upload service seals grants with, by which the proxy explains its answers. Nobody else may read it.
  grant_key = "${module.storage.bucket.arn}/__keys/explain"

  proxy_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadSites"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = concat([for prefix in local.served : "${module.storage.bucket.arn}/${prefix}/*"], [local.grant_key])
      },
      local.tell_absent_from_refused,
    ]
  })

  upload_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "LaunchBuilders"
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = "arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/${module.builder.family}:*"
        Condition = local.in_our_cluster
      },
      {
        Sid       = "WatchBuilders"
        Effect    = "Allow"
        Action    = "ecs:DescribeTasks"
        Resource  = local.tasks
        Condition = local.in_our_cluster
      },
      {
        # The services are in the same cluster, and their tasks have no such tag.
        Sid       = "StopBuilders"
        Effect    = "Allow"
        Action    = "ecs:StopTask"
        Resource  = local.tasks
        Condition = merge(local.in_our_cluster, { Null = { "aws:ResourceTag/gitdeploy:deployment" = "false" } })
      },
      {
        # ListTasks knows no resource but container instances, which Fargate has none of.
        Sid       = "FindBuilders"
        Effect    = "Allow"
        Action    = "ecs:ListTasks"
        Resource  = "*"
        Condition = local.in_our_cluster
      },
      {
        Sid       = "TagBuildersAtTheirLaunch"
        Effect    = "Allow"
        Action    = "ecs:TagResource"
        Resource  = local.tasks
        Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
      },
      {
        Sid       = "HandBuildersTheirRoles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = module.builder.passed_role_arns
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid      = "LendThePublishRole"
        Effect   = "Allow"
        Action   = ["sts:AssumeRole", "sts:TagSession"]
        Resource = module.builder.publish_role_arn
      },
      {
        Sid      = "ReadObjects"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = concat([for prefix in ["__logs", "__manifests", "__routes", "__uploads"] : "${module.storage.bucket.arn}/${prefix}/*"], [local.grant_key])
      },
      {
        Sid      = "WriteObjects"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = concat([for prefix in ["__builds", "__logs", "__routes", "__uploads"] : "${module.storage.bucket.arn}/${prefix}/*"], [local.grant_key])
      },
      {
        Sid      = "RemoveObjects"
        Effect   = "Allow"
        Action   = "s3:DeleteObject"
        Resource = [for prefix in ["__builds", "__logs", "__uploads"] : "${module.storage.bucket.arn}/${prefix}/*"]
      },
      local.tell_absent_from_refused,
      {
        Sid    = "KeepTheCatalog"
        Effect = "Allow"
        Action = [
          "dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query",
          "dynamodb:UpdateItem",
        ]
        Resource = module.storage.table.arn
      },
      {
        # Only under a context that says what the secret is for: there is one, the key of the builders' tickets.
        Sid       = "SealSecrets"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = module.storage.kms_key_arn
        Condition = { StringEquals = { "kms:EncryptionContext:gitdeploy:purpose" = "claims" } }
      },
      {
        Sid      = "ReadEventsOfBuilders"
        Effect   = "Allow"
        Action   = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
        Resource = module.builder.events_queue.arn
      },
    ]
  })
}
