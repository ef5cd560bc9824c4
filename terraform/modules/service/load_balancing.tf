resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; between it and the tasks are security groups of ours
  name                 = var.name
  vpc_id               = var.network.vpc_id
  target_type          = "ip"
  port                 = var.port
  protocol             = "HTTP"
  deregistration_delay = 30
  tags                 = var.tags

  # Whether the program answers. Not /readyz: ECS would replace every task while Redis or the bucket is away, and none
  # would be the better for it.
  health_check {
    path                = "/healthz"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener_rule" "this" {
  listener_arn = var.listener.arn
  priority     = var.listener.priority
  tags         = var.tags

  condition {
    host_header {
      values = var.listener.hosts
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
}
