resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:a variable; by default it costs more than the tasks that it measures
  name = var.name
  tags = local.tags

  setting {
    name  = "containerInsights"
    value = var.container_insights ? "enabled" : "disabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = concat(["FARGATE", "FARGATE_SPOT"], var.ec2_capacity_provider == null ? [] : [var.ec2_capacity_provider])
}
