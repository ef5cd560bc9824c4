"""Addresses of objects that anybody may read for an hour: AWS Signature Version 4 in the query."""

import hashlib
import hmac
from datetime import datetime, timezone
from urllib.parse import quote, urlsplit


def presigned(variables: dict[str, str], key: str) -> str:
    """The address of an object in the store that `variables` name."""
    endpoint, bucket = variables["AWS_ENDPOINT_URL_S3"], variables["GITDEPLOY_STORE_BUCKET"]
    region, host = variables["AWS_REGION"], urlsplit(endpoint).netloc
    now = datetime.now(timezone.utc)
    date, moment = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{date}/{region}/s3/aws4_request"
    path = f"/{bucket}/{quote(key)}"
    query = "&".join(
        f"{name}={quote(value, safe='')}"
        for name, value in sorted(
            {
                "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                "X-Amz-Credential": f"{variables['AWS_ACCESS_KEY_ID']}/{scope}",
                "X-Amz-Date": moment,
                "X-Amz-Expires": "3600",
                "X-Amz-SignedHeaders": "host",
            }.items()
        )
    )
    request = f"GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    secret = f"AWS4{variables['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (date, region, "s3", "aws4_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{endpoint}{path}?{query}&X-Amz-Signature={signature}"
