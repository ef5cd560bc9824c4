variable "domain" {
  description = "The domain below which sites are served: `<project>.<domain>`. The API is at `api.<domain>`."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z][a-z0-9-]*[a-z0-9]$", var.domain)) && length(var.domain) <= 200
    error_message = "The domain is a name in lower case with at least one dot, such as sites.example.org, without a scheme, a port or a `*`."
  }
}

variable "name" {
  description = "What every name in the account starts with. Two installations need two names."
  type        = string
  default     = "gitdeploy"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 20
    error_message = "The name has from 2 to 20 characters of a-z, 0-9 and single `-`, and starts with a letter."
  }
}

variable "hosted_zone_id" {
  description = "The Route 53 zone of the domain: records for `api.<domain>` and `*.<domain>` are made there, and the certificate is proved by it. Null: both are yours to make."
  type        = string
  default     = null

  validation {
    condition     = var.hosted_zone_id == null || can(regex("^Z[A-Z0-9]+$", var.hosted_zone_id))
    error_message = "The id of a hosted zone starts with Z."
  }
}

variable "certificate_arn" {
  description = "A certificate of ACM for `*.<domain>` in this region. Null: one is made, which needs `hosted_zone_id`."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:[a-z-]+:acm:", var.certificate_arn))
    error_message = "This is no ARN of an ACM certificate."
  }

  validation {
    condition     = var.certificate_arn != null || var.hosted_zone_id != null
    error_message = "Give hosted_zone_id, so that a certificate can be made, or certificate_arn."
  }
}

variable "image_tags" {
  description = "The tags of the images of builder, proxy and upload service in their repositories. CodeBuild writes them to image_tags.auto.tfvars.json. Null, before there are images: everything is made but what runs them."
  type        = object({ builder = string, proxy = string, upload = string })
  default     = null

  validation {
    condition     = var.image_tags == null ? true : alltrue([for tag in values(var.image_tags) : can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", tag)) && tag != "latest"])
    error_message = "A tag has up to 128 letters, digits, `_`, `.` and `-`, and is not `latest`: tags never move."
  }
}

variable "cidr" {
  description = "The addresses of the VPC, an IPv4 range between /16 and /20."
  type        = string
  default     = "10.42.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.cidr)[1]), 99) <= 20
    error_message = "The VPC needs an IPv4 range between /16 and /20, such as 10.42.0.0/16."
  }
}

variable "zones" {
  description = "In how many availability zones everything lies: 2 or 3."
  type        = number
  default     = 2

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "Zones is 2 or 3."
  }
}

variable "zone_names" {
  description = "The availability zones, where the first of the region will not do: Fargate or ElastiCache is not in every zone. Empty: the first."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.zone_names) == 0 || (length(distinct(var.zone_names)) == var.zones && length(var.zone_names) == var.zones)
    error_message = "Name as many different zones as zones says, or none."
  }
}

variable "nat" {
  description = "How services and builders reach the internet: over one NAT gateway (`single`, $37 a month), one for each zone (`per_az`), or with public addresses of their own (`none`)."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "per_az", "none"], var.nat)
    error_message = "NAT is single, per_az or none."
  }

  validation {
    condition     = var.nat != "none" || (var.service_capacity != "ec2" && var.builder_capacity != "ec2")
    error_message = "On the capacity ec2 tasks have no public addresses: without NAT they reach nothing. NAT is single or per_az."
  }
}

variable "architecture" {
  description = "The processors of everything: ARM64 or, a quarter dearer, X86_64. The images have to be for them."
  type        = string
  default     = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "The architecture is ARM64 or X86_64."
  }
}

variable "service_capacity" {
  description = "Where the services run: `fargate`, `fargate-spot` (one task on demand, the others on spot) or `ec2`."
  type        = string
  default     = "fargate"

  validation {
    condition     = contains(["fargate", "fargate-spot", "ec2"], var.service_capacity)
    error_message = "Capacity is fargate, fargate-spot or ec2."
  }
}

variable "builder_capacity" {
  description = "Where builders run: `fargate`, `fargate-spot` (on demand when spot capacity is taken back) or `ec2`, whose agents need `ECS_AWSVPC_BLOCK_IMDS=true`: without it builds read the credentials of the machine's own role."
  type        = string
  default     = "fargate-spot"

  validation {
    condition     = contains(["fargate", "fargate-spot", "ec2"], var.builder_capacity)
    error_message = "Capacity is fargate, fargate-spot or ec2."
  }
}

variable "ec2_capacity_provider" {
  description = "The name of a capacity provider of yours, with an auto scaling group in this VPC, for the capacity `ec2`."
  type        = string
  default     = null

  validation {
    condition     = var.ec2_capacity_provider != null || (var.service_capacity != "ec2" && var.builder_capacity != "ec2")
    error_message = "The capacity ec2 needs ec2_capacity_provider."
  }
}

variable "proxy" {
  description = "The proxy: CPU units and MiB of a task, how many tasks there are, and at which share of CPU (percent) and how many requests a minute for each there are more."
  type = object({
    cpu                 = optional(number, 256)
    memory              = optional(number, 512)
    min                 = optional(number, 2)
    max                 = optional(number, 10)
    cpu_percent         = optional(number, 60)
    requests_per_target = optional(number, 30000)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.proxy.min >= 1 && var.proxy.max >= var.proxy.min
    error_message = "The proxy has at least one task, and at most not fewer than at least."
  }
}

variable "upload" {
  description = "The upload service: CPU units and MiB of a task, how many tasks there are, and at which share of CPU (percent) there are more. Besides, settings of docs/settings.md: values in `environment`, and in `secrets` the ARNs of parameters of this region that hold them, sealed with the key of this installation or of Parameter Store. What this module sets itself stays as it is."
  type = object({
    cpu         = optional(number, 256)
    memory      = optional(number, 512)
    min         = optional(number, 1)
    max         = optional(number, 4)
    cpu_percent = optional(number, 70)
    environment = optional(map(string), {})
    secrets     = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.upload.min >= 1 && var.upload.max >= var.upload.min
    error_message = "The upload service has at least one task, and at most not fewer than at least."
  }

  validation {
    condition = alltrue([
      for name in concat(keys(var.upload.environment), keys(var.upload.secrets)) : can(regex("^GITDEPLOY_[A-Z0-9_]+$", name)) || (
        can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && contains([for passed in split(",", lookup(var.upload.environment, "GITDEPLOY_BUILD_PASS", "")) : trimspace(passed)], name)
      )
    ])
    error_message = "A setting starts with GITDEPLOY_, or stands in the value of GITDEPLOY_BUILD_PASS."
  }

  validation {
    condition     = length(setintersection(keys(var.upload.environment), keys(var.upload.secrets))) == 0
    error_message = "A setting is a value or a secret, not both."
  }

  validation {
    condition     = alltrue([for arn in values(var.upload.secrets) : can(regex("^arn:[a-z-]+:ssm:[a-z0-9-]+:[0-9]{12}:parameter/[A-Za-z0-9_./-]+$", arn))])
    error_message = "Secrets are ARNs of parameters of Parameter Store, without wildcards."
  }
}

variable "builder" {
  description = "A builder: CPU units, MiB of memory and GiB of disk, which ports of the internet it reaches, and how many each task of the upload service runs at the same time: with all of its tasks, `at_once` times `upload.max`."
  type = object({
    cpu     = optional(number, 2048)
    memory  = optional(number, 4096)
    disk_gb = optional(number, 30)
    ports   = optional(list(number), [22, 80, 443])
    at_once = optional(number, 20)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.builder.at_once >= 1 && var.builder.at_once <= 1000
    error_message = "A task of the upload service runs from 1 to 1000 builds at the same time."
  }
}

variable "redis_max_gb" {
  description = "How much Redis may hold, in GB. What is used is paid for; the bill starts at 0.1 GB."
  type        = number
  default     = 1

  validation {
    condition     = var.redis_max_gb >= 1 && var.redis_max_gb <= 100 && floor(var.redis_max_gb) == var.redis_max_gb
    error_message = "Redis holds from 1 to 100 GB, in whole ones."
  }
}

variable "bare_writer_arns" {
  description = "Roles that run builders by hand under a bare PROJECT_ID, which replace what is there. Empty: only lent sessions write sites, and every manifest once."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.bare_writer_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*?]+$", arn))])
    error_message = "Bare writers are ARNs of roles, without wildcards."
  }
}

variable "protect" {
  description = "Whether load balancer, bucket, table and images refuse to be destroyed. `terraform destroy` needs this to be false, applied before."
  type        = bool
  default     = true
}

variable "container_insights" {
  description = "Whether ECS measures every task, for about $20 a month."
  type        = bool
  default     = false
}

variable "log_days" {
  description = "How long the logs of the programs and of the network are kept, in days, as CloudWatch allows it."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653], var.log_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827 or 3653 days."
  }
}

variable "retention" {
  description = "After how many days the bucket forgets: uploaded archives, what builds keep for later ones, logs of builds, access logs, and what was overwritten."
  type = object({
    uploads    = optional(number, 1)
    cache      = optional(number, 14)
    build_logs = optional(number, 365)
    access     = optional(number, 90)
    noncurrent = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.retention) : days >= 1 && floor(days) == days])
    error_message = "Every retention is at least one day, in whole ones."
  }
}

variable "queue_wait_seconds" {
  description = "There is an alarm when, in a quarter of an hour, one build in twenty waited longer than this between the request for it and its start."
  type        = number
  default     = 300

  validation {
    condition     = var.queue_wait_seconds >= 1 && var.queue_wait_seconds <= 86400
    error_message = "Builds may wait from 1 second to a day (86400) before there is an alarm."
  }
}

variable "alarm_email" {
  description = "Who gets a mail for every alarm. Null: alarms are only seen in CloudWatch."
  type        = string
  default     = null
}

variable "alarm_action_arns" {
  description = "What is told of every alarm besides, such as topics of yours."
  type        = list(string)
  default     = []
}

variable "dashboard" {
  description = "Whether there is a dashboard in CloudWatch. The first three of an account are free."
  type        = bool
  default     = true
}

variable "codebuild" {
  description = "Where CodeBuild finds the Dockerfiles and buildspec.yml, to build the images. Null: they come from elsewhere."
  type        = object({ source_url = string, source_ref = optional(string, "main") })
  default     = null
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
