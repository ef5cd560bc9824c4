# Secrets are made once, here, and read by the tasks from Parameter Store. They are also in Terraform's state, which
# has to be kept like them.

# Read again at each plan, and each time another: the parameters below keep the first.
data "aws_secretsmanager_random_password" "new" {
  for_each = toset(["api-token", "redis-api-password", "redis-builder-password", "redis-default-password", "redis-proxy-password"])

  password_length     = 48
  exclude_punctuation = true
  include_space       = false
}

# To change one: `aws ssm put-parameter --overwrite`, then `terraform apply`, which tells Redis and the tasks.
resource "aws_ssm_parameter" "secret" {
  for_each = data.aws_secretsmanager_random_password.new

  name        = "/${var.name}/${each.key}"
  description = "A secret of ${var.name}, made at random"
  type        = "SecureString"
  key_id      = aws_kms_key.this.arn
  value       = each.value.random_password
  tags        = var.tags

  lifecycle {
    ignore_changes = [value]
  }
}

resource "aws_ssm_parameter" "redis_url" {
  for_each = {
    api     = aws_elasticache_user.api.user_name
    builder = aws_elasticache_user.builder.user_name
    proxy   = aws_elasticache_user.proxy.user_name
  }

  name        = "/${var.name}/redis-${each.key}-url"
  description = "Where Redis is, with a login"
  type        = "SecureString"
  key_id      = aws_kms_key.this.arn
  value       = "rediss://${each.value}:${aws_ssm_parameter.secret["redis-${each.key}-password"].value}@${local.redis_address}"
  tags        = var.tags
}
