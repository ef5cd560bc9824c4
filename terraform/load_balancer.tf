# The only thing that the internet reaches.

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_28:a web ACL starts at $6 a month; attach one of yours to the output load_balancer_arn
  #checkov:skip=CKV_AWS_150:a variable, true by default
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = module.network.public_subnet_ids
  security_groups            = [module.network.security_group_ids.load_balancer]
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "defensive"
  enable_deletion_protection = var.protect
  idle_timeout               = 60
  tags                       = local.tags

  access_logs {
    enabled = true
    bucket  = module.storage.log_bucket.name
    prefix  = "load-balancer"
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"
  tags              = local.tags

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn == null ? aws_acm_certificate_validation.this[0].certificate_arn : var.certificate_arn
  tags              = local.tags

  # Who asks for another host looks for something that is not here.
  default_action {
    type = "fixed-response"

    fixed_response {
      status_code  = "404"
      content_type = "text/plain"
      message_body = "No site is served at this address."
    }
  }
}
