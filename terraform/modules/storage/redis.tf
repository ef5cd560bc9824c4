# Valkey without servers: events of builds, for a day. What is lost in it is only the live log.

locals {
  redis_address = "${aws_elasticache_serverless_cache.this.endpoint[0].address}:${aws_elasticache_serverless_cache.this.endpoint[0].port}"
}

resource "aws_elasticache_serverless_cache" "this" {
  name                 = var.name
  description          = "Events of builds"
  engine               = "valkey"
  major_engine_version = "8"
  kms_key_id           = aws_kms_key.this.arn
  subnet_ids           = var.redis.subnet_ids
  security_group_ids   = var.redis.security_group_ids
  user_group_id        = aws_elasticache_user_group.this.user_group_id
  tags                 = var.tags

  cache_usage_limits {
    data_storage {
      maximum = var.redis.max_gb
      unit    = "GB"
    }

    ecpu_per_second {
      maximum = var.redis.max_ecpu
    }
  }
}

# Each login can do what its program does, with the keys and channels of events, and nothing else.
resource "aws_elasticache_user" "api" {
  user_id       = "${var.name}-api"
  user_name     = "${var.name}-api"
  engine        = "valkey"
  access_string = "on ~events:* resetchannels &logs:* &routes -@all +xadd +xrange +xrevrange +expire +publish +subscribe +unsubscribe +ping"
  tags          = var.tags

  authentication_mode {
    type      = "password"
    passwords = [aws_ssm_parameter.secret["redis-api-password"].value]
  }
}

# What the proxy may: hear of routes that move.
resource "aws_elasticache_user" "proxy" {
  user_id       = "${var.name}-proxy"
  user_name     = "${var.name}-proxy"
  engine        = "valkey"
  access_string = "on resetkeys resetchannels &routes -@all +subscribe +unsubscribe +ping"
  tags          = var.tags

  authentication_mode {
    type      = "password"
    passwords = [aws_ssm_parameter.secret["redis-proxy-password"].value]
  }
}

# What a builder may: append and tell. It cannot read what others wrote.
resource "aws_elasticache_user" "builder" {
  user_id       = "${var.name}-builder"
  user_name     = "${var.name}-builder"
  engine        = "valkey"
  access_string = "on ~events:* resetchannels &logs:* -@all +xadd +expire +publish +ping"
  tags          = var.tags

  authentication_mode {
    type      = "password"
    passwords = [aws_ssm_parameter.secret["redis-builder-password"].value]
  }
}

# Who does not log in is this user, which can do nothing.
resource "aws_elasticache_user" "default" {
  user_id       = "${var.name}-default"
  user_name     = "default"
  engine        = "valkey"
  access_string = "off ~* -@all"
  tags          = var.tags

  authentication_mode {
    type      = "password"
    passwords = [aws_ssm_parameter.secret["redis-default-password"].value]
  }
}

resource "aws_elasticache_user_group" "this" {
  user_group_id = var.name
  engine        = "valkey"
  user_ids      = [for user in [aws_elasticache_user.api, aws_elasticache_user.builder, aws_elasticache_user.proxy, aws_elasticache_user.default] : user.user_id]
  tags          = var.tags
}
