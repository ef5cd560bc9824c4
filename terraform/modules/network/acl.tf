# A second wall around the builders, which holds even when somebody changes a security group: they reach Redis and the
# internet, nothing else of this VPC and nothing private behind it, and only answers reach them.

locals {
  # Everything that is not the internet: private, shared and link-local addresses. The VPC may lie outside of them.
  not_internet = distinct(concat([var.cidr], ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]))
}

resource "aws_network_acl" "untrusted" {
  vpc_id     = aws_vpc.this.id
  subnet_ids = aws_subnet.untrusted[*].id
  tags       = merge(var.tags, { Name = "${var.name}-untrusted" })
}

resource "aws_network_acl_rule" "to_redis" {
  count = var.zones

  network_acl_id = aws_network_acl.untrusted.id
  egress         = true
  rule_number    = 100 + count.index
  rule_action    = "allow"
  protocol       = "tcp"
  cidr_block     = local.private_cidrs[count.index]
  from_port      = 6379
  to_port        = 6379
}

resource "aws_network_acl_rule" "to_private" {
  count = length(local.not_internet)

  network_acl_id = aws_network_acl.untrusted.id
  egress         = true
  rule_number    = 200 + count.index
  rule_action    = "deny"
  protocol       = "-1"
  cidr_block     = local.not_internet[count.index]
}

resource "aws_network_acl_rule" "to_internet" {
  count = length(var.builder_ports)

  network_acl_id = aws_network_acl.untrusted.id
  egress         = true
  rule_number    = 300 + count.index
  rule_action    = "allow"
  protocol       = "tcp"
  cidr_block     = "0.0.0.0/0"
  from_port      = var.builder_ports[count.index]
  to_port        = var.builder_ports[count.index]
}

# An access list keeps no state: answers come to the ports that Linux opens connections from.
resource "aws_network_acl_rule" "from_redis" {
  count = var.zones

  network_acl_id = aws_network_acl.untrusted.id
  egress         = false
  rule_number    = 100 + count.index
  rule_action    = "allow"
  protocol       = "tcp"
  cidr_block     = local.private_cidrs[count.index]
  from_port      = 32768
  to_port        = 65535
}

resource "aws_network_acl_rule" "from_private" {
  #checkov:skip=CKV_AWS_352:denies
  count = length(local.not_internet)

  network_acl_id = aws_network_acl.untrusted.id
  egress         = false
  rule_number    = 200 + count.index
  rule_action    = "deny"
  protocol       = "-1"
  cidr_block     = local.not_internet[count.index]
}

resource "aws_network_acl_rule" "from_internet" {
  network_acl_id = aws_network_acl.untrusted.id
  egress         = false
  rule_number    = 300
  rule_action    = "allow"
  protocol       = "tcp"
  cidr_block     = "0.0.0.0/0"
  from_port      = 32768
  to_port        = 65535
}
