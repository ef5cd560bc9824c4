resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "${var.name}-public" })
}

resource "aws_route" "public" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  count = var.zones

  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  count = var.zones

  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "${var.name}-private-${local.zones[count.index]}" })
}

# Without NAT nothing in a private subnet reaches the internet; only Redis is there then.
resource "aws_route" "private" {
  count = local.nats == 0 ? 0 : var.zones

  route_table_id         = aws_route_table.private[count.index].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[min(count.index, local.nats - 1)].id
}

resource "aws_route_table_association" "private" {
  count = var.zones

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[count.index].id
}

resource "aws_route_table" "untrusted" {
  count = var.zones

  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "${var.name}-untrusted-${local.zones[count.index]}" })
}

resource "aws_route" "untrusted" {
  count = var.zones

  route_table_id         = aws_route_table.untrusted[count.index].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = local.nats == 0 ? aws_internet_gateway.this.id : null
  nat_gateway_id         = local.nats == 0 ? null : aws_nat_gateway.this[min(count.index, local.nats - 1)].id
}

resource "aws_route_table_association" "untrusted" {
  count = var.zones

  subnet_id      = aws_subnet.untrusted[count.index].id
  route_table_id = aws_route_table.untrusted[count.index].id
}

# Gateway endpoints cost nothing and keep what goes to S3 and DynamoDB off the NAT gateways. Builders have nothing to
# say to DynamoDB.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${data.aws_region.current.id}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = concat([aws_route_table.public.id], aws_route_table.private[*].id, aws_route_table.untrusted[*].id)
  tags              = merge(var.tags, { Name = "${var.name}-s3" })
}

resource "aws_vpc_endpoint" "dynamodb" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${data.aws_region.current.id}.dynamodb"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = concat([aws_route_table.public.id], aws_route_table.private[*].id)
  tags              = merge(var.tags, { Name = "${var.name}-dynamodb" })
}
