# Who may open a connection to whom, rule by rule. What is not here is refused.

resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "${var.name}-default-closed" })
}

resource "aws_security_group" "load_balancer" {
  #checkov:skip=CKV2_AWS_5:attached to the load balancer by the root module
  name        = "${var.name}-load-balancer"
  description = "The load balancer: the only thing that the internet reaches"
  vpc_id      = aws_vpc.this.id
  tags        = merge(var.tags, { Name = "${var.name}-load-balancer" })
}

resource "aws_security_group" "proxy" {
  #checkov:skip=CKV2_AWS_5:attached to the tasks of the proxy by the module service
  name        = "${var.name}-proxy"
  description = "The proxy: reached by the load balancer"
  vpc_id      = aws_vpc.this.id
  tags        = merge(var.tags, { Name = "${var.name}-proxy" })
}

resource "aws_security_group" "api" {
  #checkov:skip=CKV2_AWS_5:attached to the tasks of the upload service by the module service
  name        = "${var.name}-api"
  description = "The upload service: reached by the load balancer"
  vpc_id      = aws_vpc.this.id
  tags        = merge(var.tags, { Name = "${var.name}-api" })
}

resource "aws_security_group" "builder" {
  #checkov:skip=CKV2_AWS_5:attached to the tasks of builders when they are launched
  name        = "${var.name}-builder"
  description = "Builders: reached by nobody"
  vpc_id      = aws_vpc.this.id
  tags        = merge(var.tags, { Name = "${var.name}-builder" })
}

resource "aws_security_group" "redis" {
  #checkov:skip=CKV2_AWS_5:attached to the cache by the module storage
  name        = "${var.name}-redis"
  description = "Redis: reached by the services and by builders"
  vpc_id      = aws_vpc.this.id
  tags        = merge(var.tags, { Name = "${var.name}-redis" })
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer_https" {
  security_group_id = aws_security_group.load_balancer.id
  description       = "Visitors, authors and builders"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer_http" {
  #checkov:skip=CKV_AWS_260:port 80 only redirects to 443
  security_group_id = aws_security_group.load_balancer.id
  description       = "Visitors who are redirected to https"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "load_balancer_proxy" {
  security_group_id            = aws_security_group.load_balancer.id
  description                  = "To the proxy"
  referenced_security_group_id = aws_security_group.proxy.id
  ip_protocol                  = "tcp"
  from_port                    = var.proxy_port
  to_port                      = var.proxy_port
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "load_balancer_api" {
  security_group_id            = aws_security_group.load_balancer.id
  description                  = "To the upload service"
  referenced_security_group_id = aws_security_group.api.id
  ip_protocol                  = "tcp"
  from_port                    = var.api_port
  to_port                      = var.api_port
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "proxy" {
  security_group_id            = aws_security_group.proxy.id
  description                  = "From the load balancer"
  referenced_security_group_id = aws_security_group.load_balancer.id
  ip_protocol                  = "tcp"
  from_port                    = var.proxy_port
  to_port                      = var.proxy_port
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "proxy_https" {
  security_group_id = aws_security_group.proxy.id
  description       = "S3, the image and the log, none of which has a fixed address"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "proxy_redis" {
  security_group_id            = aws_security_group.proxy.id
  description                  = "To Redis"
  referenced_security_group_id = aws_security_group.redis.id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "api" {
  security_group_id            = aws_security_group.api.id
  description                  = "From the load balancer"
  referenced_security_group_id = aws_security_group.load_balancer.id
  ip_protocol                  = "tcp"
  from_port                    = var.api_port
  to_port                      = var.api_port
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "api_https" {
  security_group_id = aws_security_group.api.id
  description       = "The interfaces of AWS, none of which has a fixed address"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "api_redis" {
  security_group_id            = aws_security_group.api.id
  description                  = "To Redis"
  referenced_security_group_id = aws_security_group.redis.id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "builder_internet" {
  for_each = toset([for port in var.builder_ports : tostring(port)])

  security_group_id = aws_security_group.builder.id
  description       = "Repositories, packages, S3 and the claim"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "builder_redis" {
  security_group_id            = aws_security_group.builder.id
  description                  = "To Redis"
  referenced_security_group_id = aws_security_group.redis.id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "redis_api" {
  security_group_id            = aws_security_group.redis.id
  description                  = "From the upload service"
  referenced_security_group_id = aws_security_group.api.id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "redis_proxy" {
  security_group_id            = aws_security_group.redis.id
  description                  = "From the proxy"
  referenced_security_group_id = aws_security_group.proxy.id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "redis_builder" {
  security_group_id            = aws_security_group.redis.id
  description                  = "From builders"
  referenced_security_group_id = aws_security_group.builder.id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  tags                         = var.tags
}
