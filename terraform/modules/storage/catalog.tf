# Projects, deployments and tokens. One table without indexes; the upload service is the only one that knows it.

resource "aws_dynamodb_table" "catalog" {
  #checkov:skip=CKV_AWS_119:secrets are sealed with our key before they are written; the rest is sealed with DynamoDB's
  name                        = "${var.name}-catalog"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.protect
  tags                        = var.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    enabled        = true
    attribute_name = "expires"
  }

  point_in_time_recovery {
    enabled = true
  }
}
