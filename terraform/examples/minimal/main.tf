# The frugal installation, about $55 a month while nothing happens: no NAT gateway, one task of each service, builders on
# spot capacity, logs for a week, nothing that refuses to be destroyed.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "The region of everything."
  type        = string
  default     = "us-east-1"
}

variable "domain" {
  description = "The domain below which sites are served."
  type        = string
}

variable "hosted_zone_id" {
  description = "The Route 53 zone of the domain."
  type        = string
}

variable "name" {
  description = "What every name in the account starts with."
  type        = string
  default     = "gitdeploy"
}

variable "image_tags" {
  description = "The tags of the images, once there are any."
  type        = object({ builder = string, proxy = string, upload = string })
  default     = null
}

variable "codebuild" {
  description = "Where CodeBuild finds the Dockerfiles, to build the images. Null: they come from elsewhere."
  type        = object({ source_url = string, source_ref = optional(string, "main") })
  default     = null
}

module "gitdeploy" {
  source = "../.."

  name           = var.name
  domain         = var.domain
  hosted_zone_id = var.hosted_zone_id
  image_tags     = var.image_tags
  codebuild      = var.codebuild

  nat              = "none"
  proxy            = { min = 1, max = 2 }
  upload           = { min = 1, max = 2 }
  builder          = { cpu = 1024, memory = 4096, at_once = 4 }
  builder_capacity = "fargate-spot"
  log_days         = 7
  dashboard        = false
  protect          = false
}

output "gitdeploy" {
  description = "Everything that the module says of itself."
  value       = module.gitdeploy
}
